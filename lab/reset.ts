import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setServerState, serverStates } from '../adapters/haproxy/runtime.ts';
import { killSite, wipeData } from './break.ts';
import { prepareServer } from './found.ts';
import { haproxySocket } from './haproxy.ts';
import { outside, siteDir, type Lab, type SiteName } from './layout.ts';

/** An empty site again, with the clients back at the other one: ready for the next recovery. */
export async function resetSite(lab: Lab, site: SiteName): Promise<void> {
  await killSite(lab, site);
  await wipeData(lab, site);
  await rm(siteDir(lab, site, 'state'), { recursive: true, force: true });
  await rm(siteDir(lab, site, 'postgres', 'pgbackrest.conf'), { force: true });
  await forgetGenerations(lab, site);
  await prepareServer(lab, site);
  for (const { name } of await serverStates(haproxySocket(lab), 'gateways'))
    await setServerState(haproxySocket(lab), 'gateways', name, name.startsWith(site) ? 'maint' : 'ready');
}

/** What the site archived since it was recovered. */
async function forgetGenerations(lab: Lab, site: SiteName): Promise<void> {
  for (const name of await readdir(outside(lab, 'pgbackrest'))) {
    if (name.startsWith(`${site}-`))
      await rm(join(outside(lab, 'pgbackrest'), name), { recursive: true, force: true });
  }
}
