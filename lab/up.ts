import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { writePgbackrestConfig } from '../adapters/postgres/pgbackrest-config.ts';
import { createStanza } from '../adapters/postgres/backup.ts';
import { waitReady, withClient } from '../adapters/postgres/client.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { Secret } from '../domain/secret.ts';
import { unfreeze } from './break.ts';
import { configFile, siteDir, sitePort, SITES, type Lab, type SiteName } from './layout.ts';
import { makeKeys, readKey } from './keys.ts';
import { declareHaproxy } from './haproxy.ts';
import { declareService, installScript, nodeProgram, pidOf, start } from './services.ts';
import { declarePostgres, declareRedis, initPostgres, prepareOutside } from './stores.ts';
import { declareTemporal, startTemporal } from './temporal.ts';
import { declareTyk, seedPrimary, startTyk } from './tyk-site.ts';

/** Brings the lab up: everything that is missing is made, everything that is stopped is started. Repeatable. */

export interface UpOptions {
  readonly scale: 'small' | 'default' | 'large';
  readonly say: (text: string) => void;
}

export async function up(lab: Lab, options: UpOptions): Promise<void> {
  const { say } = options;
  await installScript(lab);
  await makeKeys(lab);
  await prepareOutside(lab);
  for (const site of SITES) await declareStores(lab, site);
  await declareHaproxy(lab);
  await declareTemporal(lab);
  await declareNode(lab, 'upstream', '../lab/upstream/main.js', ['--port', String(lab.ports.upstream)]);
  await timed(say, 'Temporal', () => startTemporal(lab));
  await timed(say, 'upstream and load balancer', async () => {
    await start(lab, 'upstream');
    await start(lab, 'haproxy');
  });
  for (const site of SITES) await unfreeze(lab, site);

  const fresh =
    (await pidOf(lab, 'dr-redis')) === undefined &&
    !(await exists(siteDir(lab, 'primary', 'postgres', 'data', 'PG_VERSION')));
  if (fresh) await timed(say, 'data of the primary site', () => foundPrimary(lab, options));
  await timed(say, 'workers', () => startWorkers(lab));
  if (fresh || (await isPrimaryLive(lab)))
    await timed(say, 'Tyk on the primary site', () => startTyk(lab, 'primary'));
}

async function declareStores(lab: Lab, site: SiteName): Promise<void> {
  await mkdir(siteDir(lab, site, 'state'), { recursive: true });
  await declareRedis(lab, site);
  await declarePostgres(lab, site);
  await declareTyk(lab, site);
}

async function foundPrimary(lab: Lab, options: UpOptions): Promise<void> {
  await rm(siteDir(lab, 'primary', 'redis', 'data'), { recursive: true, force: true });
  await mkdir(siteDir(lab, 'primary', 'redis', 'data'), { recursive: true });
  await start(lab, 'primary-redis');
  await initPostgres(lab, 'primary');
  await start(lab, 'primary-postgres');
  await createDatabase(lab);
  await seedPrimary(lab, options);
  const deployment = (await loadConfig(configFile(lab))).deployments[lab.deployment]!;
  const tool = await writePgbackrestConfig({
    config: deployment.sites['primary']!.database!,
    repository: deployment.backup.pgbackrest!,
    generation: 'primary-1',
    passphrase: new Secret(await readKey(lab, 'pgbackrest-passphrase')),
  });
  await createStanza(tool);
}

/** The Dashboard's database and its own user, as an installation guide would have them made. */
async function createDatabase(lab: Lab): Promise<void> {
  const connection = {
    host: '127.0.0.1',
    port: sitePort(lab, 'primary', 'postgres'),
    user: 'postgres',
    database: 'postgres',
    password: new Secret(await readKey(lab, 'postgres-admin-password')),
  };
  await (await waitReady(connection, { deadlineMs: 30_000 })).end();
  const password = await readKey(lab, 'postgres-tyk-password');
  await withClient(connection, async (client) => {
    await client.query(`CREATE ROLE tyk LOGIN PASSWORD '${password}'`);
    await client.query('CREATE DATABASE tyk_analytics OWNER tyk');
  });
  await withClient({ ...connection, database: 'tyk_analytics' }, (client) =>
    client.query('CREATE EXTENSION amcheck'),
  );
}

async function startWorkers(lab: Lab): Promise<void> {
  const program = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));
  for (const site of SITES) {
    await declareService(lab, {
      name: `worker-${site}`,
      argv: nodeProgram(program, '--config', configFile(lab), 'worker', site),
    });
    await start(lab, `worker-${site}`);
  }
}

async function declareNode(lab: Lab, name: string, main: string, args: string[]): Promise<void> {
  await declareService(lab, {
    name,
    argv: nodeProgram(fileURLToPath(new URL(main, import.meta.url)), ...args),
  });
}

async function isPrimaryLive(lab: Lab): Promise<boolean> {
  return (
    (await pidOf(lab, 'primary-redis')) !== undefined && (await pidOf(lab, 'primary-postgres')) !== undefined
  );
}

async function timed(say: (text: string) => void, what: string, work: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  await work();
  say(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

async function exists(path: string): Promise<boolean> {
  const { access } = await import('node:fs/promises');
  return access(path).then(
    () => true,
    () => false,
  );
}
