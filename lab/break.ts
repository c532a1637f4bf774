import { readdir, readFile, rm } from 'node:fs/promises';
import { withClient } from '../adapters/postgres/client.ts';
import { Secret } from '../domain/secret.ts';
import { readKey } from './keys.ts';
import { GATEWAYS, siteDir, sitePort, type Lab, type SiteName } from './layout.ts';
import { pidOf } from './services.ts';

/** Ways to break a site. Each is what the real thing would look like from outside; `lab up` undoes it. */

export const BREAKS = [
  'kill-site',
  'kill-component',
  'wipe-data',
  'corrupt-rows',
  'delete-apis',
  'partition',
] as const;
export type Break = (typeof BREAKS)[number];

export const SITE_SERVICES = ['redis', 'postgres', 'dashboard', ...GATEWAYS, 'pump'] as const;

/** SIGKILL to every process of the site, children included. The worker lives on: it stands for the host. */
export async function killSite(lab: Lab, site: SiteName): Promise<string[]> {
  const killed = await Promise.all(SITE_SERVICES.map((service) => killService(lab, `${site}-${service}`)));
  return killed.filter((name) => name !== undefined);
}

/** @returns the name, or undefined where it did not run. */
export async function killService(lab: Lab, name: string): Promise<string | undefined> {
  const pid = await pidOf(lab, name);
  if (pid === undefined) return undefined;
  for (const each of [...(await descendants(pid)), pid]) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  return name;
}

/** The data of both stores and every restored tree: what a lost disk takes with it. */
export async function wipeData(lab: Lab, site: SiteName): Promise<void> {
  for (const folder of ['redis/data', 'postgres/data', 'dashboard', 'gateways', 'pump']) {
    await rm(siteDir(lab, site, folder), { recursive: true, force: true });
  }
}

/** Somebody deletes half of the APIs: the database obeys, and every Gateway will. */
export function deleteApis(lab: Lab, site: SiteName): Promise<number> {
  return sql(
    lab,
    site,
    `DELETE FROM tyk_apis WHERE ctid IN (SELECT ctid FROM tyk_apis ORDER BY ctid LIMIT (SELECT count(*) / 2 FROM tyk_apis))`,
  );
}

/** Definitions that are still valid rows but no longer what anybody wrote. */
export function corruptRows(lab: Lab, site: SiteName): Promise<number> {
  return sql(lab, site, `UPDATE tyk_policies SET name = 'corrupt ' || md5(name)`);
}

/** Nothing reaches the site: its processes are frozen in the middle of whatever they did. */
export async function partition(lab: Lab, site: SiteName): Promise<string[]> {
  const frozen: string[] = [];
  for (const service of SITE_SERVICES) {
    const pid = await pidOf(lab, `${site}-${service}`);
    if (pid === undefined) continue;
    for (const each of [pid, ...(await descendants(pid))]) process.kill(each, 'SIGSTOP');
    frozen.push(service);
  }
  return frozen;
}

/** The other half of `partition`, for `lab up`. */
export async function unfreeze(lab: Lab, site: SiteName): Promise<void> {
  for (const service of SITE_SERVICES) {
    const pid = await pidOf(lab, `${site}-${service}`);
    if (pid === undefined) continue;
    for (const each of [pid, ...(await descendants(pid))]) process.kill(each, 'SIGCONT');
  }
}

async function sql(lab: Lab, site: SiteName, statement: string): Promise<number> {
  const connection = {
    host: '127.0.0.1',
    port: sitePort(lab, site, 'postgres'),
    user: 'postgres',
    database: 'tyk_analytics',
    password: new Secret(await readKey(lab, 'postgres-admin-password')),
  };
  return withClient(connection, async (client) => (await client.query(statement)).rowCount ?? 0);
}

/** Every process below this one, from /proc. */
async function descendants(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(/\) \S (\d+)/.exec(stat)?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const below = children.get(next) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}
