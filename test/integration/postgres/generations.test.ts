import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeBackup } from '../../../adapters/postgres/backup.ts';
import { queryValue, withClient } from '../../../adapters/postgres/client.ts';
import { pgbackrest } from '../../../adapters/postgres/pgbackrest.ts';
import {
  giveTo,
  siteArchiveCommand,
  writePgbackrestConfig,
  type PgbackrestSite,
} from '../../../adapters/postgres/pgbackrest-config.ts';
import type { PostgresFacts } from '../../../domain/manifest.ts';
import { startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import {
  archiveAll,
  archiveNames,
  backUpSet,
  numbers,
  range,
  restoreBeside,
  restoreRequest,
  write,
} from '../../harness/postgres-scene.ts';

/** Whose archive it is: neither a drill nor an old site that comes back may write into the log of the one that serves. */

let cluster: TestCluster;
let set: PostgresFacts;

beforeAll(async () => {
  cluster = await startTestCluster();
  await write(cluster, 1, 50);
  set = await backUpSet(cluster, 'set-1');
  await write(cluster, 51, 60);
  await archiveAll(cluster);
});
afterAll(() => cluster?.close());

test('a restore that proves by writing leaves no trace in the archive', async () => {
  const before = await archiveNames(cluster);
  const staged = await restoreBeside(cluster, set, {
    prove: async (server) => {
      const connection = server.connection('postgres');
      await withClient(connection, async (client) => {
        await client.query(`INSERT INTO acknowledged VALUES (999, 'a drill')`);
        await client.query('SELECT pg_switch_wal()');
        await client.query('CHECKPOINT');
      });
      return numbers(connection);
    },
  });
  expect(staged.proof).toEqual([...range(1, 60), 999]);
  expect(await archiveNames(cluster)).toEqual(before);
});

test('a drill by hand with the default archive mode is followed by a recovery by hand, and not by ours', async () => {
  const drill = await restoreByHand('drill');
  // The same repository, as on any host with production's configuration.
  const file = join(cluster.dir, 'drill.conf');
  await writePgbackrestConfig(cluster.site, { file, dataDir: drill });
  await cluster.start(drill, [`archive_command=pgbackrest --config=${file} --stanza=acme archive-push %p`]);
  await promoted();
  await write(cluster, 1000, 1000);
  await archiveAll(cluster);
  await cluster.stop();

  await cluster.start(await restoreByHand('later', '--archive-mode=off'));
  await promoted();
  const byHand = await numbers(cluster.admin);
  await cluster.stop();
  await cluster.start();
  // The trap: what a drill wrote is taken for what production wrote.
  expect(byHand).toEqual([...range(1, 60), 1000]);

  expect((await restoreBeside(cluster, set)).proof).toEqual(range(1, 60));
});

test('an old site that comes back archives into its own generation, and the new primary’s recovers without it', async () => {
  const request = await restoreRequest(cluster, set);
  await restoreBeside(cluster, set, request);
  await cluster.stop();

  const dr: PgbackrestSite = {
    ...cluster.site,
    generation: 'dr-1',
    config: {
      ...cluster.config,
      dataDir: request.stagingDir,
      pgbackrest: { ...cluster.config.pgbackrest, configFile: join(cluster.dir, 'dr.conf') },
    },
  };
  const tool = await writePgbackrestConfig(dr);
  const drCluster: TestCluster = { ...cluster, site: dr, config: dr.config, tool };
  await cluster.start(request.stagingDir, [
    `archive_command=${siteArchiveCommand(dr.config, dr.repository)}`,
  ]);
  const drSet = await takeBackup({ site: dr, admin: cluster.admin, type: 'full', restorePoint: 'set-2' });
  expect(drSet.timeline).toBeGreaterThan(set.timeline);
  await write(cluster, 61, 70);
  await archiveAll(drCluster);
  await cluster.stop();
  const archived = await archiveNames(drCluster);

  await cluster.start();
  await write(cluster, 2000, 2000);
  await archiveAll(cluster);
  expect(await archiveNames(drCluster)).toEqual(archived);
  expect((await restoreBeside(drCluster, drSet)).proof).toEqual(range(1, 70));
});

async function restoreByHand(name: string, ...args: readonly string[]): Promise<string> {
  const dataDir = join(cluster.dir, name);
  await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir, { mode: 0o700 });
  await giveTo(cluster.config.runAs, dataDir);
  await pgbackrest(cluster.tool, 'restore', [...args, `--pg1-path=${dataDir}`]);
  await cluster.stop();
  return dataDir;
}

async function promoted(): Promise<void> {
  await withClient(cluster.admin, async (client) => {
    await expect
      .poll(() => queryValue(client, 'SELECT pg_is_in_recovery()'), { timeout: 20_000 })
      .toBe(false);
  });
}
