import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { keyDigest } from '../../adapters/beacon/audit.ts';
import { folderBytes, requireFree } from '../../adapters/files/disk.ts';
import { exists } from '../../adapters/files/exists.ts';
import { withClient as withPostgres, type Connection } from '../../adapters/postgres/client.ts';
import { fingerprints, keyedTables } from '../../adapters/postgres/fingerprints.ts';
import { startScratch } from '../../adapters/postgres/scratch-server.ts';
import { run } from '../../adapters/process/run.ts';
import { within } from '../../adapters/process/within.ts';
import { withClient as withRedis, type Client as Redis } from '../../adapters/redis/client.ts';
import { isAnalytics, scanKeys } from '../../adapters/redis/scan.ts';
import { withScratchRedis } from '../../adapters/redis/scratch.ts';
import {
  abandonedOf,
  mergeAbandoned,
  type Abandoned,
  type AbandonedItem,
  type Fingerprint,
} from '../../domain/abandoned.ts';
import type { MarkedStore } from '../../domain/beacon.ts';
import { clusterOf } from '../../domain/cluster.ts';
import type { RedisConfig } from '../../domain/config.ts';
import type { Json } from '../../domain/json.ts';
import { NAMES } from '../../domain/points.ts';
import { describeApi, describePolicy, type Described } from '../../domain/versioned.ts';
import { readDefinitions } from '../database/postgresql.ts';
import { adminConnection, redisEndpoint } from '../endpoints.ts';
import type { Call } from '../guard.ts';
import { isMongo } from './mongodb.ts';

/**
 * What only an old site had, by name: its old data are copied, the copy is started as a private server and compared with
 * what the site has now. The old data themselves are not touched.
 */

/** A run that waits for names only is in nobody's way, and ends all the same. */
const PATIENCE_MS = 15 * 60_000;

type Named = Pick<Abandoned, 'items' | 'unnamed'>;

/**
 * Never throws: what cannot be named is kept all the same.
 *
 * @param folders old data by store
 * @param woundBack files that MongoDB wrote of what it had wound back
 */
export async function nameAbandoned(
  call: Call,
  folders: Readonly<Partial<Record<MarkedStore, string>>>,
  woundBack: readonly string[] = [],
): Promise<Abandoned> {
  const parts = await Promise.all(
    (Object.entries(folders) as [MarkedStore, string][]).map(([store, folder]) =>
      within(
        store === 'redis' ? ofRedis(call, folder) : ofDatabase(call, folder),
        PATIENCE_MS,
        'answer',
      ).catch((error: unknown): Named => ({
        items: [],
        unnamed: [
          `${NAMES[store]}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
        ],
      })),
    ),
  );
  const kept = Object.values(folders);
  return mergeAbandoned([
    {
      ...{ kept: [...kept, ...woundBack], beyond: 0, unnamed: [] },
      items: woundBack.map((name) => ({
        store: 'database',
        kind: 'rollback file',
        name,
        change: 'only there',
      })),
    },
    ...parts.map((part) => ({ kept: [], beyond: 0, ...part })),
  ])!;
}

/** Beside the old data: blocks are shared where the filesystem can. */
async function withCopy<T>(folder: string, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = `${folder}.compared`;
  const leftovers = ['', '.wal', '.log', '.lock'].map((ending) => copy + ending);
  const clear = (): Promise<unknown> =>
    Promise.all(leftovers.map((each) => rm(each, { recursive: true, force: true })));
  await clear();
  await requireFree(folder, await folderBytes(folder));
  try {
    await run(['cp', '-a', '--reflink=auto', folder, copy]);
    return await work(copy);
  } finally {
    await clear();
  }
}

async function ofDatabase(call: Call, folder: string): Promise<Named> {
  const { target, secret, signal } = call;
  if (isMongo(target))
    return { items: [], unnamed: ['MongoDB: an old folder of it is kept, and not compared'] };
  const config = clusterOf(target);
  call.progress('comparing the old database');
  const live = await adminConnection(config, secret);
  return withCopy(folder, async (dataDir) => {
    for (const file of ['postmaster.pid', 'standby.signal', 'recovery.signal'])
      await rm(join(dataDir, file), { force: true });
    await mkdir(`${dataDir}.wal`);
    const server = await startScratch({
      ...{ cluster: { binDir: config.binDir, dataDir, user: config.runAs }, recoveryTarget: {}, signal },
      ...{ superuser: config.admin.user, walDir: `${dataDir}.wal` },
      ...{ lockFile: `${dataDir}.lock`, logFile: `${dataDir}.log` },
    });
    try {
      return await compareDatabases(server.connection(config.name), live);
    } finally {
      await server.kill();
    }
  });
}

/** More rows than that are a log, or will not fit into a worker; they are only counted. */
const MOST_ROWS = 200_000;
/** These have names of their own. */
const DEFINED: readonly string[] = ['tyk_apis', 'tyk_policies'];
/** Of single requests, and sums of them: nobody made them by hand. */
const ANALYTICS = /^tyk_(analytics|aggregated)/;

async function compareDatabases(old: Connection, live: Connection): Promise<Named> {
  const [before, now] = await Promise.all([readDefinitions(old), readDefinitions(live)]);
  const items: AbandonedItem[] = [
    ...abandonedOf(
      { store: 'database', kind: 'API' },
      named(before.apis, describeApi),
      named(now.apis, describeApi),
    ),
    ...abandonedOf(
      { store: 'database', kind: 'policy' },
      named(before.policies, describePolicy),
      named(now.policies, describePolicy),
    ),
  ];
  const unnamed: string[] = [];
  await withPostgres(old, (there) =>
    withPostgres(live, async (here) => {
      const known = new Set((await keyedTables(here)).map(({ name }) => name));
      for (const table of await keyedTables(there)) {
        if (DEFINED.includes(table.name)) continue;
        if (table.rows > MOST_ROWS) {
          unnamed.push(`${table.name}: about ${table.rows} rows, too many to be compared`);
          continue;
        }
        const own = known.has(table.name) ? await fingerprints(here, table) : new Map<string, Fingerprint>();
        const of = { store: 'database', kind: table.name } as const;
        const found = abandonedOf(of, await fingerprints(there, table), own);
        if (!ANALYTICS.test(table.name)) items.push(...found);
        else if (found.length > 0) unnamed.push(`${table.name}: ${found.length} rows of analytics`);
      }
    }),
  );
  return { items, unnamed };
}

function named(
  documents: readonly Json[],
  describe: (document: Json) => Described,
): Map<string, Fingerprint> {
  return new Map(
    documents.map((document) => {
      const { id, name } = describe(document);
      const digest = createHash('sha256').update(JSON.stringify(document)).digest('hex');
      return [id, { name: name === '' ? id : `${id} (${name})`, digest }];
    }),
  );
}

async function ofRedis(call: Call, folder: string): Promise<Named> {
  const { target, secret, signal } = call;
  const config: RedisConfig = target.redis!;
  const { binary, database } = config;
  call.progress('comparing the old Redis');
  const appendOnly = await exists(join(folder, 'appendonlydir'));
  if (!appendOnly && !(await exists(join(folder, 'dump.rdb'))))
    return { items: [], unnamed: [`${NAMES.redis}: its old folder has neither dump.rdb nor appendonlydir`] };
  return withCopy(folder, async (copy) =>
    withScratchRedis(
      binary,
      copy,
      async (old) => withRedis(await redisEndpoint(config, secret), (live) => compareKeys(old, live)),
      signal,
      database,
      undefined,
      appendOnly ? 'cut-off' : false,
    ),
  );
}

/** Whether its value differs is not asked: sessions count their requests. */
async function compareKeys(old: Redis, live: Redis): Promise<Named> {
  const items: AbandonedItem[] = [];
  for await (const keys of scanKeys(old)) {
    const asked = keys.filter((key) => !isAnalytics(key));
    const there = await Promise.all(asked.map((key) => live.exists(key)));
    for (const key of asked.filter((_key, index) => there[index] === 0))
      items.push(itemOf(key.toString('latin1')));
  }
  return {
    items,
    unnamed: [`${NAMES.redis}: whether values of keys that are at both differ was not compared`],
  };
}

const SESSION = 'apikey-';

function itemOf(key: string): AbandonedItem {
  if (key.startsWith(SESSION))
    return { store: 'redis', kind: 'key', name: keyDigest(key.slice(SESSION.length)), change: 'only there' };
  const prefix = /^[a-z_]+/i.exec(key)?.[0] ?? 'other';
  return { store: 'redis', kind: `${prefix}*`, name: keyDigest(key), change: 'only there' };
}
