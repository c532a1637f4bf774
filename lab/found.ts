import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../adapters/config/load.ts';
import { exists } from '../adapters/files/exists.ts';
import { createStanza } from '../adapters/postgres/backup.ts';
import { waitReady, withClient } from '../adapters/postgres/client.ts';
import { waitReady as waitForRedis } from '../adapters/redis/client.ts';
import { writePgbackrestConfig } from '../adapters/postgres/pgbackrest-config.ts';
import { clusterOf } from '../domain/cluster.ts';
import { Secret } from '../domain/secret.ts';
import { killSite } from './break.ts';
import { readKey } from './keys.ts';
import { configFile, hasDatabase, saveLab, siteDir, type Lab, type SiteName } from './layout.ts';
import { seedSite } from './seed-site.ts';
import { start, stop } from './services.ts';
import { beginSeeding, endSeeding, initPostgres, startPostgres } from './stores.ts';
import { redisOf, superuserOf } from './connections.ts';
import { startEmptyMongo } from './mongodb.ts';

const START_TIMEOUT_MS = 30_000;

/** Makes a site from nothing: new stores with the seeded data, and its configuration installed by hand. */
export async function found(lab: Lab, site: SiteName): Promise<void> {
  await writeFile(unfinished(lab, site), '');
  // A store whose files are gone may still run; it could not even stop properly.
  await killSite(lab, site);
  await startEmptyRedis(lab, site);
  if (hasDatabase(lab, 'mongodb')) await startEmptyMongo(lab, site);
  if (hasDatabase(lab, 'postgresql')) {
    await rm(siteDir(lab, site, 'postgres', 'data'), { recursive: true, force: true });
    await initPostgres(lab, site);
    await beginSeeding(lab, site);
    await startPostgres(lab, site);
    await createDatabase(lab, site);
  }
  await seedSite(lab, site);
  if (hasDatabase(lab, 'postgresql')) await openForService(lab, site);
  await rm(unfinished(lab, site));
}

/** From the settings of the seeding to those of a server that archives. */
async function openForService(lab: Lab, site: SiteName): Promise<void> {
  await stop(lab, `${site}-postgres`);
  await endSeeding(lab, site);
  await start(lab, `${site}-postgres`);
  await (await waitReady(await superuserOf(lab, site, 'postgres'), { deadlineMs: START_TIMEOUT_MS })).end();
  if (lab.databaseMethod !== 'dump') await archiveAnew(lab, site);
}

/** A dump goes into a server that is there: a site that waits has one, without any database of ours. */
export async function prepareServer(lab: Lab, site: SiteName): Promise<void> {
  if (!hasDatabase(lab, 'postgresql') || lab.databaseMethod !== 'dump') return;
  if (!(await exists(siteDir(lab, site, 'postgres', 'data', 'PG_VERSION')))) await initPostgres(lab, site);
}

/** Whether the stores of a site have all their data; not whether they run. */
export async function isFounded(lab: Lab, site: SiteName): Promise<boolean> {
  if (await exists(unfinished(lab, site))) return false;
  const redis = await readdir(siteDir(lab, site, 'redis', 'data')).catch(() => []);
  if (redis.length === 0) return false;
  if (hasDatabase(lab, 'mongodb')) return exists(siteDir(lab, site, 'mongodb', 'data'));
  return lab.mode === 'files' || exists(siteDir(lab, site, 'postgres', 'data', 'PG_VERSION'));
}

/** A founding that was broken off is begun anew. */
const unfinished = (lab: Lab, site: SiteName): string => join(lab.dir, 'run', `founding-${site}`);

async function startEmptyRedis(lab: Lab, site: SiteName): Promise<void> {
  const data = siteDir(lab, site, 'redis', 'data');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true });
  await start(lab, `${site}-redis`);
  (await waitForRedis(await redisOf(lab, site), START_TIMEOUT_MS)).disconnect();
}

/** The Dashboard's database and its own user, as an installation guide would have them made. */
export async function createDatabase(lab: Lab, site: SiteName): Promise<void> {
  const connection = await superuserOf(lab, site, 'postgres');
  await (await waitReady(connection, { deadlineMs: START_TIMEOUT_MS })).end();
  const password = await readKey(lab, 'postgres-tyk-password');
  await withClient(connection, async (client) => {
    await client.query(`CREATE ROLE tyk LOGIN PASSWORD '${password}'`);
    await client.query('CREATE DATABASE tyk_analytics OWNER tyk');
  });
  await withClient({ ...connection, database: 'tyk_analytics' }, (client) =>
    client.query('CREATE EXTENSION amcheck'),
  );
}

/** A new cluster may not write into the repository of another: each founding gets the next one. */
async function archiveAnew(lab: Lab, site: SiteName): Promise<void> {
  const times = (lab.founded[site] ?? 0) + 1;
  await saveLab({ ...lab, founded: { ...lab.founded, [site]: times } });
  const deployment = (await loadConfig(configFile(lab))).deployments[lab.deployment]!;
  const tool = await writePgbackrestConfig({
    config: clusterOf(deployment.sites[site]!),
    repository: deployment.backup.pgbackrest!,
    generation: `${site}-${times}`,
    passphrase: new Secret(await readKey(lab, 'pgbackrest-passphrase')),
  });
  await createStanza(tool);
}
