import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readBeaconJournal, type Journal } from '../../adapters/beacon/read.ts';
import { writeRecovery } from '../../adapters/beacon/write.ts';
import { takeCommand } from '../../adapters/host/epoch.ts';
import { lowerFence, raiseFence } from '../../adapters/host/fence.ts';
import { queryValue, withClient } from '../../adapters/postgres/client.ts';
import { runBeacon } from '../../activities/beacon.ts';
import type { Deps } from '../../activities/guard.ts';
import { readMarks } from '../../activities/watermarks.ts';
import { MARKED_STORES, numbersIn, type MarkedStore } from '../../domain/beacon.ts';
import type { Deployment, Site } from '../../domain/config.ts';
import { startTestMongo, type TestMongo } from '../harness/mongodb.ts';
import { startTestCluster, type TestCluster } from '../harness/postgres.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../harness/redis.ts';

/** The beacon on real stores, with one that hangs, one that dies, and a site that is given up. */

let dir: string;
let redis: TestRedis;
let postgres: TestCluster;
let mongo: TestMongo;
let deps: Deps;
const said: string[] = [];
const end = new AbortController();
const running: Promise<void>[] = [];

const RUNS = { start: ['true'], stop: ['true'], status: ['true'] };
const folder = (deployment: string): string => join(dir, 'sets', deployment, 'beacon');
const siteOf = (deployment: string): Site => deps.deployment(deployment).sites['primary']!;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-beacon-test-'));
  [redis, postgres, mongo] = await Promise.all([startTestRedis(), startTestCluster(), startTestMongo()]);
  await withClient(postgres.admin, (client) => client.query('CREATE ROLE tyk'));
  const { port } = redis.endpoint;
  const { host, port: pgPort } = postgres.admin;
  const common = { worker: 'primary', gateways: [], network: [] };
  await mkdir(join(dir, 'state'), { recursive: true });
  const sites: Record<string, unknown> = {
    acme: {
      ...{ ...common, stateDir: join(dir, 'state') },
      redis: { host: '127.0.0.1', port, password: 'env:REDIS', method: 'files', database: 0, service: RUNS },
      database: {
        ...{
          kind: 'postgresql',
          host,
          port: pgPort,
          name: 'postgres',
          user: 'tyk',
          admin: { user: 'postgres' },
          service: RUNS,
        },
      },
    },
    other: {
      ...{ ...common, stateDir: join(dir, 'state-other') },
      database: { kind: 'mongodb', ...mongo.endpoint, name: mongo.endpoint.database, service: RUNS },
    },
  };
  const sections = Object.fromEntries(
    Object.entries(sites).map(([name, primary]) => [
      name,
      {
        beacon: { interval: 1_000, keep: 600_000 },
        backup: { repository: join(dir, 'sets') },
        sites: { primary },
      } as unknown as Deployment,
    ]),
  );
  deps = {
    worker: 'primary',
    deployment: (name: string) => sections[name]!,
    digest: () => '',
    secret: () => Promise.resolve(REDIS_PASSWORD),
    usedSecrets: () => [],
  };
  begin('acme');
  begin('other');
});
afterAll(async () => {
  end.abort();
  await Promise.all(running);
  await Promise.all([redis?.close(), postgres?.close(), mongo?.close()]);
  await rm(dir, { recursive: true, force: true });
});

function begin(deployment: string): void {
  const say = (text: string): void => void said.push(`${deployment}: ${text}`);
  running.push(
    runBeacon({ deps, deployment, siteName: 'primary', worker: 'primary', say, signal: end.signal }),
  );
}

const journal = (deployment = 'acme'): Promise<Journal> => readBeaconJournal([folder(deployment)]);

async function numbers(store: MarkedStore, deployment = 'acme'): Promise<number[]> {
  const found = await journal(deployment).catch(() => undefined);
  return found ? [...numbersIn(found.of('primary', store).runs)] : [];
}

/** Waits until a store has acknowledged so many more numbers. */
async function more(store: MarkedStore, count: number, deployment = 'acme'): Promise<void> {
  const before = await numbers(store, deployment);
  await expect
    .poll(async () => (await numbers(store, deployment)).length, { timeout: 20_000, interval: 100 })
    .toBeGreaterThanOrEqual(before.length + count);
}

test('what is journalled is in the store, under the same number in each', async () => {
  await Promise.all([more('redis', 2), more('database', 2), more('database', 1, 'other')]);
  const cases = [
    ['acme', 'redis'],
    ['acme', 'database'],
    ['other', 'database'],
  ] as const;
  for (const [deployment, store] of cases) {
    const journalled = await numbers(store, deployment);
    const there = await readMarks(siteOf(deployment), store, deps.secret);
    expect(there, `${deployment} ${store}`).toEqual(expect.arrayContaining(journalled));
  }
  const [inRedis, inDatabase] = [await numbers('redis'), await numbers('database')];
  expect(inRedis.filter((number) => inDatabase.includes(number)).length).toBeGreaterThanOrEqual(2);
  expect(await redis.client().ttl('tyk-dr:beacon')).toBe(-1);
  // A dump names the owners of what it restores, and the superuser of another server may have another name.
  const owners = `SELECT tableowner, nspowner::regrole::text AS schema FROM pg_tables
    JOIN pg_namespace ON nspname = schemaname WHERE schemaname = 'tyk_dr'`;
  const { rows } = await withClient(postgres.admin, (client) => client.query(owners));
  expect(rows).toEqual([{ tableowner: 'tyk', schema: 'tyk' }]);
});

test('a store that hangs keeps no other waiting, and is a gap of its own', async () => {
  const pid = Number(/process_id:(\d+)/.exec(await redis.client().info('server'))![1]);
  process.kill(pid, 'SIGSTOP');
  const before = (await numbers('redis')).length;
  await more('database', 3).finally(() => process.kill(pid, 'SIGCONT'));
  expect((await numbers('redis')).length).toBeLessThanOrEqual(before + 1);
  await more('redis', 1);
  const [hung, went] = [await numbers('redis'), await numbers('database')];
  expect(went.filter((number) => !hung.includes(number)).length).toBeGreaterThanOrEqual(2);
});

test('a table that somebody has locked keeps Redis from nothing', async () => {
  await withClient(postgres.admin, async (client) => {
    await client.query('BEGIN; LOCK TABLE tyk_dr.beacon IN ACCESS EXCLUSIVE MODE');
    await more('redis', 2);
    await client.query('ROLLBACK');
  });
  await more('database', 1);
});

test('a database that is killed is a gap, and goes on by itself behind the last number', async () => {
  await postgres.kill();
  const before = Math.max(...(await numbers('database')));
  await more('redis', 2);
  await postgres.start();
  await more('database', 1);
  expect(said.join('\n')).toMatch(
    /acme: database does not acknowledge: [\s\S]*acme: database acknowledges again/,
  );
  // Killed without a word: what it had acknowledged is still there, under the numbers of the journal.
  const there = await readMarks(siteOf('acme'), 'database', deps.secret);
  expect(there).toEqual(expect.arrayContaining(await numbers('database')));
  expect(Math.max(...there)).toBeGreaterThan(before);
});

test('two beacons at once write the same numbers', async () => {
  begin('acme');
  await expect
    .poll(() => said.filter((text) => /acme: writes into/.test(text)).length, { timeout: 10_000 })
    .toBe(2);
  await Promise.all([more('redis', 2), more('database', 2)]);
  const { damaged, of } = await journal();
  expect(damaged).toBe(0);
  const rows = await withClient(postgres.admin, (client) =>
    queryValue<string>(client, 'SELECT count(*) - count(DISTINCT number) FROM tyk_dr.beacon'),
  );
  expect(Number(rows)).toBe(0);
  // One a second, not two.
  for (const store of MARKED_STORES) {
    const all = [...numbersIn(of('primary', store).runs)];
    expect(all.length).toBeLessThanOrEqual(Math.floor(Date.now() / 1000) - all[0]! + 1);
  }
});

test.each([
  [
    'was given up',
    () => raiseFence(join(dir, 'state'), 'run rec-x'),
    () => lowerFence(join(dir, 'state')),
    /does not write: primary was given up by run rec-x/,
  ],
  [
    'is being restored, until its loss is measured',
    () => takeCommand(join(dir, 'state'), { epoch: 7, run: 'rec-y' }, 'primary'),
    () =>
      writeRecovery(folder('acme'), {
        ...{ run: 'rec-y', epoch: 7, from: 'primary', to: 'primary', worker: 'primary', losses: [] },
        at: new Date().toISOString(),
      }),
    /run rec-y has primary in its hands/,
  ],
])('a site that %s gets no number', async (_what, begins, ends, told) => {
  await begins();
  await expect.poll(() => said.join('\n'), { timeout: 10_000 }).toMatch(told);
  const there = async (): Promise<number> =>
    Math.max(...(await readMarks(siteOf('acme'), 'redis', deps.secret)));
  await more('database', 2, 'other');
  const before = await there();
  await more('database', 1, 'other');
  expect(await there()).toBe(before);
  await ends();
  await more('redis', 1);
  expect(await there()).toBeGreaterThan(before);
});

test('it ends when it is told to, also while a store hangs', async () => {
  const pid = Number(/process_id:(\d+)/.exec(await redis.client().info('server'))![1]);
  process.kill(pid, 'SIGSTOP');
  try {
    await more('database', 1, 'other');
    end.abort();
    await Promise.all(running);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});
