import { copyFile, mkdir, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { awaitArchived } from '../../../adapters/postgres/backup.ts';
import { queryValue, withClient } from '../../../adapters/postgres/client.ts';
import { LEDGER_FILE } from '../../../adapters/postgres/staging.ts';
import { giveTo, repositoryFolder } from '../../../adapters/postgres/pgbackrest-config.ts';
import { listRepositoryFiles, verifyRepositoryFiles } from '../../../adapters/postgres/repository-files.ts';
import { pgbackrest } from '../../../adapters/postgres/pgbackrest.ts';
import type { PostgresFacts } from '../../../domain/manifest.ts';
import { startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import {
  archiveAll,
  backUpSet,
  flipByte,
  numbers,
  range,
  restoreBeside,
  restoreRequest,
  segmentFile,
  serverTime,
  write,
} from '../../harness/postgres-scene.ts';

/**
 * PostgreSQL takes a restore_command that fails as the end of WAL: it promotes, says nothing, and what had been
 * committed later is gone. Whatever is wrong with the archive must be said before anything is promoted.
 */

let cluster: TestCluster;
let set: PostgresFacts;
/** Each archived one after the other; the second holds the numbers 61 to 70. */
let segments: string[];
let afterSixty: string;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  cluster = await startTestCluster();
  await write(cluster, 1, 50);
  set = await backUpSet(cluster, 'set-1');
  await write(cluster, 51, 60);
  segments = [await archiveAll(cluster)];
  afterSixty = await serverTime(cluster);
  for (const from of [61, 71]) {
    await write(cluster, from, from + 9);
    segments.push(await archiveAll(cluster));
  }
});
afterAll(() => cluster?.close());
afterEach(async () => {
  for (const restore of undo.splice(0).reverse()) await restore();
});

/** Changes a file of the repository for one test. */
async function damage(file: string, change: (file: string) => Promise<unknown>): Promise<void> {
  await execa('cp', ['--preserve', file, `${file}.kept`]);
  undo.push(() => rename(`${file}.kept`, file));
  await change(file);
}

/** A restore that must fail before anything was promoted, and leaves nothing that counts. */
async function refusal(facts: PostgresFacts = set): Promise<{ code: string; message: string }> {
  const request = await restoreRequest(cluster, facts, {
    prove: () => Promise.reject(new Error('it was promoted')),
  });
  const error = await restoreBeside(cluster, facts, request).then(
    () => undefined,
    (reason: unknown) => reason as { code: string; message: string },
  );
  if (!error) throw new Error('it was not refused');
  const left = await readdir(request.stagingDir).catch(() => []);
  expect(left).not.toContain(LEDGER_FILE);
  expect(await numbers(cluster.admin)).toContain(80);
  return error;
}

const middle = async (file: string): Promise<void> => flipByte(file, Math.floor((await stat(file)).size / 2));
const half = async (file: string): Promise<void> => truncate(file, Math.floor((await stat(file)).size / 2));

describe('one flipped bit in an archived segment', () => {
  test('is what PostgreSQL itself takes for the end: promoted, exit code 0, the rows after it gone', async () => {
    await damage(await segmentFile(cluster, segments[1]!), middle);
    const found = await restoreTheUsualWay();
    expect(found).toEqual(range(1, 60));
  });

  test('is found, named, and nothing is promoted', async () => {
    await damage(await segmentFile(cluster, segments[1]!), middle);
    const error = await refusal();
    expect(error.code).toBe('WAL_DAMAGED');
    expect(error.message).toContain(segments[1]);
  });

  test('does not stand in the way of a recovery to an earlier time, as the hint says', async () => {
    await damage(await segmentFile(cluster, segments[2]!), middle);
    const staged = await restoreBeside(cluster, set, { target: { kind: 'time', time: afterSixty } });
    expect(staged.proof).toEqual(range(1, 60));
  });
});

describe('an archived segment that is', () => {
  test('cut short is found', async () => {
    await damage(await segmentFile(cluster, segments[1]!), half);
    expect(await refusal()).toMatchObject({ code: 'WAL_DAMAGED' });
  });

  test('empty is found', async () => {
    await damage(await segmentFile(cluster, segments[2]!), (file) => truncate(file, 0));
    expect(await refusal()).toMatchObject({ code: 'WAL_DAMAGED' });
  });

  test('missing between others is named', async () => {
    await damage(await segmentFile(cluster, segments[1]!), (file) => rm(file));
    const error = await refusal();
    expect(error.code).toBe('WAL_MISSING');
    expect(error.message).toContain(segments[1]);
  });

  test('missing although the set needs it is named', async () => {
    await damage(await segmentFile(cluster, set.walStop), (file) => rm(file));
    const error = await refusal();
    expect(error.code).toBe('WAL_MISSING');
    expect(error.message).toContain(set.walStop);
  });

  test('another one under its name is found', async () => {
    const other = await segmentFile(cluster, segments[2]!);
    await damage(await segmentFile(cluster, segments[1]!), (file) => copyFile(other, file));
    expect(await refusal()).toMatchObject({ code: 'WAL_DAMAGED' });
  });

  test('there twice, with different content, is not chosen from', async () => {
    const file = await segmentFile(cluster, segments[1]!);
    const twin = file.replace(/-[0-9a-f]{40}/, `-${'0'.repeat(40)}`);
    await execa('cp', ['--preserve', file, twin]);
    undo.push(() => rm(twin));
    const error = await refusal();
    expect(error.message).toContain('archived twice');
  });
});

describe('a backup that is not whole', () => {
  test('as a dump is restored by psql with exit code 0 and without its data', async () => {
    const connection = ['-h', cluster.admin.host, '-p', String(cluster.admin.port), '-U', 'postgres'];
    const { stdout: dump } = await execa('pg_dump', [...connection, '--table=acknowledged', 'postgres']);
    await withClient(cluster.admin, (client) => client.query('CREATE DATABASE by_hand'));
    const input = dump.slice(0, dump.indexOf('COPY public.acknowledged') + 20_000);
    const { exitCode } = await execa('psql', [...connection, 'by_hand'], { input });
    expect(exitCode).toBe(0);
    expect(await numbers({ ...cluster.admin, database: 'by_hand' })).not.toEqual(range(1, 80));
  });

  test.each([
    ['cut short', half, 'OBJECT_DAMAGED'],
    ['changed by a bit', middle, 'OBJECT_DAMAGED'],
    ['missing', (file: string) => rm(file), 'OBJECT_MISSING'],
  ] as const)(
    'in the repository is refused and named before anything is touched: %s',
    async (_how, change, code) => {
      const root = repositoryFolder(cluster.repository, cluster.site.generation);
      const files = await listRepositoryFiles(cluster.tool, root, set);
      await verifyRepositoryFiles(root, files, 'the-set');
      for (const file of [files.find(({ path }) => path.includes('/pg_data/base/'))!, files.at(-1)!]) {
        await damage(join(root, file.path), change);
        await expect(verifyRepositoryFiles(root, files, 'the-set')).rejects.toMatchObject({
          code,
          details: { object: file.path },
        });
        await undo.pop()!();
      }
    },
  );
});

describe('WAL that was damaged before it was archived, so that its digest is right,', () => {
  test('in the last segment is not taken for the end of the log', async () => {
    const segment = await archiveDamaged(81, 90);
    const error = await refusal();
    expect(error.message).toContain(segment);
    expect(error.code).toBe('WAL_DAMAGED');
  });

  test('between others stops the replay, and that is said', async () => {
    await write(cluster, 91, 95);
    await archiveAll(cluster);
    expect(await refusal()).toMatchObject({ code: 'WAL_DAMAGED' });
  });
});

/** Writes numbers into a segment that rots on the primary's own disk before the archiver reads it. */
async function archiveDamaged(from: number, to: number): Promise<string> {
  const set = (command: string): Promise<unknown> =>
    withClient(cluster.admin, async (client) => {
      await client.query(command);
      await client.query('SELECT pg_reload_conf()');
      await expect
        .poll(() => queryValue(client, 'SHOW archive_command'))
        .toMatch(/^\/bin\/false|archive-push/);
    });
  await set(`ALTER SYSTEM SET archive_command = '/bin/false'`);
  await write(cluster, from, to);
  const segment = await withClient(cluster.admin, async (client) => {
    const name = await queryValue<string>(client, 'SELECT pg_walfile_name(pg_current_wal_lsn())');
    const at = await queryValue<number>(
      client,
      'SELECT file_offset FROM pg_walfile_name_offset(pg_current_wal_lsn())',
    );
    await client.query('SELECT pg_switch_wal()');
    await flipByte(join(cluster.config.dataDir, 'pg_wal', name), at - 5000);
    return name;
  });
  await set('ALTER SYSTEM RESET archive_command');
  await awaitArchived(cluster.tool, '15-1', segment, 30_000);
  return segment;
}

/** What a guide would have one do: pgBackRest's own restore, and PostgreSQL recovers to the end of the archive. */
async function restoreTheUsualWay(): Promise<number[]> {
  const dataDir = join(cluster.dir, 'usual');
  await mkdir(dataDir, { mode: 0o700 });
  await giveTo(cluster.config.runAs, dataDir);
  await pgbackrest(cluster.tool, 'restore', ['--archive-mode=off', `--pg1-path=${dataDir}`]);
  await cluster.stop();
  try {
    await cluster.start(dataDir);
    expect(
      await withClient(cluster.admin, async (client) => {
        await expect.poll(() => queryValue(client, 'SELECT pg_is_in_recovery()')).toBe(false);
        return queryValue(client, 'SHOW archive_mode');
      }),
    ).toBe('off');
    return await numbers(cluster.admin);
  } finally {
    await cluster.stop();
    await cluster.start();
    await rm(dataDir, { recursive: true });
  }
}
