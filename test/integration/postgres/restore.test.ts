import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareAtEnd, compareExact } from '../../../adapters/postgres/compare.ts';
import { queryValue, withClient, type Connection } from '../../../adapters/postgres/client.ts';
import { readControl } from '../../../adapters/postgres/control.ts';
import { ownedFolder } from '../../../adapters/postgres/pgbackrest-config.ts';
import { checkPageChecksums, checkRelations, databaseFacts } from '../../../adapters/postgres/proof.ts';
import type { ScratchServer } from '../../../adapters/postgres/scratch-server.ts';
import { LEDGER_FILE } from '../../../adapters/postgres/staging.ts';
import type { DatabaseFacts, PostgresFacts } from '../../../domain/manifest.ts';
import { PG_BIN, startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import {
  archiveAll,
  archiveNames,
  backUpSet,
  flipByte,
  numbers,
  range,
  restoreBeside,
  restoreRequest,
  serverTime,
  write,
} from '../../harness/postgres-scene.ts';

/** One cluster that goes on serving, and everything that can be recovered from its repository, beside it. */

let cluster: TestCluster;
let set: PostgresFacts;
/** Counted on the live server at the moment of the set's restore point. */
let atRestorePoint: DatabaseFacts;
let afterEighty: string;

const REACHED = { recoveredLsn: '', timeline: 1 };

beforeAll(async () => {
  cluster = await startTestCluster();
  await write(cluster, 1, 50);
  set = await backUpSet(cluster, 'set-1');
  atRestorePoint = await withClient(cluster.admin, (client) => databaseFacts(client, REACHED));
  await write(cluster, 51, 80);
  afterEighty = await serverTime(cluster);
  await write(cluster, 81, 100);
  await archiveAll(cluster);
});
afterAll(() => cluster?.close());

describe('a restore beside the old data', () => {
  test('brings back every acknowledged row, and leaves the cluster that serves alone', async () => {
    const before = await archiveNames(cluster);
    const config = await readFile(cluster.tool.configFile, 'utf8');
    const request = await restoreRequest(cluster, set);
    const staged = await restoreBeside(cluster, set, request);
    expect(staged.proof).toEqual(range(1, 100));
    expect(staged.timeline).toBeGreaterThan(set.timeline);
    expect(await numbers(cluster.admin)).toEqual(range(1, 100));
    expect(await archiveNames(cluster)).toEqual(before);
    expect(await readFile(cluster.tool.configFile, 'utf8')).toBe(config);

    // What is left may be renamed into place: stopped in order, and nothing in it points at where it came from.
    const restored = { binDir: PG_BIN, dataDir: request.stagingDir, user: cluster.config.runAs };
    expect(await readControl(restored)).toMatchObject({
      state: 'shut down',
      systemIdentifier: set.systemIdentifier,
      checksums: true,
    });
    expect(await readFile(join(request.stagingDir, 'postgresql.auto.conf'), 'utf8')).not.toMatch(
      /^\s*(restore_command|recovery_|archive_mode|primary_conninfo)/m,
    );
    expect((await readdir(request.stagingDir)).filter((name) => name.endsWith('.signal'))).toEqual([]);
    await expect(stat(`${request.stagingDir}.wal`)).rejects.toThrow('ENOENT');

    // Asked again, as after a kill whose answer got lost, it answers the same without another restore.
    expect(await restoreBeside(cluster, set, request)).toEqual(staged);
  });

  test('to the set’s restore point gives exactly the rows and the schema of that moment', async () => {
    const found = await factsOf({ kind: 'restore-point' });
    compareExact(atRestorePoint, found);
    expect(found.rows['public.acknowledged']).toBe(50);
    // The comparison can fail: the end of the archive is another state.
    const end = await factsOf({ kind: 'end' });
    expect(() => compareExact(atRestorePoint, end)).toThrow('public.acknowledged 100');
    expect(compareAtEnd(atRestorePoint, end, ['public.acknowledged']).changed).toEqual({
      'public.acknowledged': 50,
    });
    expect(() => compareAtEnd(end, atRestorePoint, ['public.acknowledged'])).toThrow(
      'public.acknowledged 50',
    );
  });

  test('to a time ends with the last commit before it', async () => {
    const staged = await restoreBeside(cluster, set, { target: { kind: 'time', time: afterEighty } });
    expect(staged.proof).toEqual(range(1, 80));
    expect(staged.lastCommitAt! <= afterEighty).toBe(true);
  });

  test('to a time that the archive does not reach is refused, not taken for its end', async () => {
    const prove = () => Promise.reject(new Error('it was promoted'));
    const later = { kind: 'time', time: '2999-01-01T00:00:00.000Z' } as const;
    await expect(restoreBeside(cluster, set, { target: later, prove })).rejects.toMatchObject({
      code: 'WAL_DAMAGED',
      message: expect.stringContaining('the archive does not reach the target') as unknown,
    });
    const earlier = { kind: 'time', time: '2001-01-01T00:00:00.000Z' } as const;
    await expect(restoreBeside(cluster, set, { target: earlier, prove })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
  });

  test('refuses a staging directory that is, or holds, or lies in, the live data', async () => {
    for (const stagingDir of [
      cluster.config.dataDir,
      join(cluster.config.dataDir, 'base'),
      join(cluster.config.dataDir, '..'),
    ]) {
      await expect(restoreBeside(cluster, set, { stagingDir })).rejects.toMatchObject({
        code: 'TARGET_IS_ANOTHER',
      });
    }
    expect(await numbers(cluster.admin)).toEqual(range(1, 100));
  });

  test('finds every relation whole, and a page that has rotted since', async () => {
    const connectionOf = (server: ScratchServer): Connection => server.connection('postgres');
    const request = await restoreRequest(cluster, set, {
      prove: async (server) => {
        expect((await checkRelations(PG_BIN, connectionOf(server))).relations).toBeGreaterThan(100);
        return [];
      },
    });
    const restored = { binDir: PG_BIN, dataDir: request.stagingDir, user: cluster.config.runAs };
    await restoreBeside(cluster, set, request);
    expect(await checkPageChecksums(restored)).toBeGreaterThan(100);

    const rotten = await restoreRequest(cluster, set, {
      prove: async (server) => {
        // A table that nobody has read yet: it comes from the disk, as after a start.
        const path = await withClient(connectionOf(server), (client) =>
          queryValue<string>(client, `SELECT pg_relation_filepath('pg_description')`),
        );
        await flipByte(join(rotten.stagingDir, path), 5 * 8192 + 4000);
        await checkRelations(PG_BIN, connectionOf(server));
        return [];
      },
    });
    await expect(restoreBeside(cluster, set, rotten)).rejects.toMatchObject({
      code: 'DATA_UNPROVEN',
      message: expect.stringContaining('pg_description') as unknown,
    });
    expect(await readdir(rotten.stagingDir)).not.toContain(LEDGER_FILE);
    const data = await withClient(cluster.admin, (client) =>
      queryValue<string>(client, `SELECT pg_relation_filepath('pg_description')`),
    );
    await flipByte(join(request.stagingDir, data), 8192 + 4000);
    await expect(checkPageChecksums(restored)).rejects.toMatchObject({ code: 'DATA_UNPROVEN' });
  });
});

describe('a cluster that has changed since its backup', () => {
  test('is recovered through WAL that asks for larger settings than the backup knew', async () => {
    await withClient(cluster.admin, (client) => client.query('ALTER SYSTEM SET max_connections = 150'));
    await cluster.stop();
    await cluster.start();
    await write(cluster, 101, 110);
    await archiveAll(cluster);
    expect((await restoreBeside(cluster, set)).proof).toEqual(range(1, 110));
  });

  test('is not backed up once it keeps data outside its data directory', async () => {
    const location = join(cluster.dir, 'tablespace');
    await ownedFolder(location, cluster.config.runAs);
    await withClient(cluster.admin, (client) =>
      client.query(`CREATE TABLESPACE elsewhere LOCATION '${location}'`),
    );
    await expect(backUpSet(cluster, 'set-2')).rejects.toMatchObject({ code: 'TABLESPACE_UNSUPPORTED' });
  });
});

async function factsOf(target: { kind: 'restore-point' } | { kind: 'end' }): Promise<DatabaseFacts> {
  let found: DatabaseFacts | undefined;
  const prove = async (server: ScratchServer): Promise<number[]> => {
    found = await withClient(server.connection('postgres'), (client) => databaseFacts(client, REACHED));
    return [];
  };
  await restoreBeside(cluster, set, { target, prove });
  return found!;
}
