import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRestorePoint, takeBackup } from '../../adapters/postgres/backup.ts';
import { withClient, type Connection } from '../../adapters/postgres/client.ts';
import { listRepository } from '../../adapters/postgres/pgbackrest.ts';
import { repositoryFolder } from '../../adapters/postgres/pgbackrest-config.ts';
import { stageRestore } from '../../adapters/postgres/restore.ts';
import type { StagedRestore, StageRequest } from '../../adapters/postgres/restore-request.ts';
import type { PostgresFacts } from '../../domain/manifest.ts';
import { PASSPHRASE, type TestCluster } from './postgres.ts';

/** A story on a test cluster: numbers that the server acknowledged one by one, backups, restores beside. */

const LOG_LINE = 'restore command begin';

/** Writes numbers, each in a transaction of its own. @returns those that were acknowledged: all, or it throws. */
export async function write(cluster: TestCluster, from: number, to: number): Promise<number[]> {
  return withClient(cluster.admin, async (client) => {
    await client.query('CREATE TABLE IF NOT EXISTS acknowledged (n int PRIMARY KEY, pad text NOT NULL)');
    const acknowledged: number[] = [];
    for (let n = from; n <= to; n += 1) {
      await client.query('INSERT INTO acknowledged VALUES ($1, $2)', [n, 'x'.repeat(900)]);
      acknowledged.push(n);
    }
    return acknowledged;
  });
}

export async function numbers(connection: Connection): Promise<number[]> {
  return withClient(connection, async (client) => {
    const { rows } = await client.query<{ n: number }>('SELECT n FROM acknowledged ORDER BY n');
    return rows.map(({ n }) => n);
  });
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

export function backUpSet(cluster: TestCluster, restorePoint: string): Promise<PostgresFacts> {
  return takeBackup({ site: cluster.site, admin: cluster.admin, type: 'full', restorePoint });
}

/** Everything written so far is in the archive when this returns. @returns the segment that ends it. */
export async function archiveAll(cluster: TestCluster): Promise<string> {
  return (await createRestorePoint(cluster.tool, cluster.admin, `archived-${Date.now()}`)).segment;
}

/** The time of the server, between two commits. */
export async function serverTime(cluster: TestCluster): Promise<string> {
  return withClient(cluster.admin, async (client) => {
    const { rows } = await client.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    return rows[0]!.now.toISOString();
  });
}

let restores = 0;

/** A request for a restore beside the cluster's own data, which proves by reading all numbers. */
export async function restoreRequest(
  cluster: TestCluster,
  facts: PostgresFacts,
  more: Partial<StageRequest<number[]>> = {},
): Promise<StageRequest<number[]>> {
  const folder = join(cluster.dir, 'staging');
  await mkdir(folder, { recursive: true });
  restores += 1;
  return {
    config: cluster.config,
    repository: cluster.repository,
    passphrase: PASSPHRASE,
    facts,
    target: { kind: 'end' },
    stagingDir: join(folder, `restore-${restores}`),
    ledger: { run: `run-${restores}`, step: 'restore-database-data', set: facts.restorePoint },
    prove: (server) => numbers(server.connection('postgres')),
    ...more,
  };
}

export async function restoreBeside(
  cluster: TestCluster,
  facts: PostgresFacts,
  more: Partial<StageRequest<number[]>> = {},
): Promise<StagedRestore<number[]>> {
  return stageRestore(await restoreRequest(cluster, facts, more));
}

/** The names of everything that the archive of a cluster's repository holds. */
export async function archiveNames(cluster: TestCluster): Promise<string[]> {
  return (await listRepository(cluster.tool, `archive/${cluster.tool.stanza}`))
    .map(({ name }) => name)
    .sort();
}

/** The file in the repository of an archived segment. */
export async function segmentFile(cluster: TestCluster, segment: string): Promise<string> {
  const name = (await archiveNames(cluster)).find((each) => each.includes(segment));
  if (name === undefined) throw new Error(`${segment} is not in the archive`);
  const root = repositoryFolder(cluster.repository, cluster.site.generation);
  return join(root, 'archive', cluster.tool.stanza, name);
}

/** How often pgBackRest itself began a restore, from its own logs. */
export async function countRestores(logPath: string): Promise<number> {
  const folder = join(logPath, 'restore');
  let count = 0;
  for (const name of await readdir(folder).catch(() => []))
    count += (await readFile(join(folder, name), 'utf8')).split(LOG_LINE).length - 1;
  return count;
}

/** Changes one byte of a file in place; its owner and mode stay. */
export async function flipByte(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
    await handle.write(Buffer.from([buffer[0]! ^ 0x10]), 0, 1, at);
  } finally {
    await handle.close();
  }
}
