import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  compareFacts,
  type CountedFacts,
  collectFacts,
  dropAnalytics,
} from '../../../adapters/redis/facts.ts';
import { redisVersion, requireReads } from '../../../adapters/redis/version.ts';
import { withScratchRedis } from '../../../adapters/redis/scratch.ts';
import { setFolder } from '../../../adapters/backup/repository.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { Manifest } from '../../../domain/manifest.ts';
import { openRedisFacts } from '../../../activities/open-set.ts';
import { resolveSecret } from '../../../adapters/config/secrets.ts';
import { callActivity, killedActivity, type ActivityCall, type ChildEnd } from '../../harness/activity.ts';
import { backupStepOf, signSet, stepOf, type TestDeployment } from '../../harness/deployment.ts';
import { eventually } from '../../harness/gateway.ts';
import { flipByte } from '../../harness/postgres-scene.ts';
import { seedEveryType, startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { redisDeployment } from '../../harness/redis-scene.ts';

/** Redis with `appendonly yes`, as the guide recommends it: backed up alive, lost, brought back by the real activities. */

const SET = '20260101T000000Z-0001';
/** Of every type, two: see seedEveryType. */
const SEEDED = 16;

let redis: TestRedis;
let scene: TestDeployment;
let manifest: Manifest;
let facts: CountedFacts;
let run: string;
let runs = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  scene = await redisDeployment(redis);
  const client = redis.client();
  await seedEveryType(client);
  await client.rpush('analytics-tyk-system-analytics', 'pumped already');
  await client.rpush('analytics-tyk-system-analytics_1', 'pumped already');
  await client.set('apikey-lasting', 'x', 'PXAT', Date.parse('2099-01-01T00:00:00.123Z'));
  for (let n = 0; n < 10; n += 1) await client.set(`apikey-brief-${n}`, 'x', 'PX', 3_000);
  const made = await callActivity(call('back-up-redis', backupStepOf(scene, 'back-up-redis', SET)));
  const part = made.result as PartResult;
  manifest = await signSet(scene, { set: SET, objects: part.objects, redis: part.redis! });
  const where = {
    deployment: scene.deployment,
    name: 'acme',
    set: SET,
    cache: redis.dir,
    secret: resolveSecret,
  };
  facts = (await openRedisFacts({ ...where, signal: new AbortController().signal }, manifest))!;
  expect(part.redis!.keys).toBe(SEEDED + 11);
  // The outage lasts longer than the brief keys.
  await eventually(async () => expect(await client.dbsize()).toBe(SEEDED + 3));
  await redis.kill();
}, 60_000);
afterAll(() => redis?.close());

/** For every test the Redis is lost, and something else lies where its data were. */
async function lose(): Promise<void> {
  await redis.kill();
  runs += 1;
  run = `run-${runs}`;
  await rm(redis.dataDir, { recursive: true, force: true });
  await mkdir(redis.dataDir);
  await writeFile(join(redis.dataDir, 'old'), 'the old data');
}

const call = (activity: string, input: ActivityCall['input']): ActivityCall => ({
  configFile: scene.configFile,
  activity,
  input,
});
const restoreCall = (): ActivityCall =>
  call('restore-redis-data', stepOf(scene, { run, step: 'restore-redis-data', set: SET, epoch: runs }));
const prove = (): Promise<ChildEnd> =>
  callActivity(call('prove-redis', stepOf(scene, { run, step: 'prove-redis', set: SET, epoch: runs })));

describe('with appendonly yes', () => {
  test('a copied dump.rdb, as the guide has it, starts empty and without an error', async () => {
    await lose();
    await openObject(join(redis.dataDir, 'dump.rdb'));
    await redis.start();
    expect(await redis.client().dbsize()).toBe(0);
    // And our proof says so.
    expect((await prove()).error).toMatchObject({ code: 'DATA_UNPROVEN' });
  });

  test('our restore starts with all keys, exact expiries, and goes on writing', async () => {
    await lose();
    expect((await callActivity(restoreCall())).error).toBeUndefined();
    await redis.start();
    const client = redis.client();
    expect(await dropAnalytics(client)).toBe(2);
    expect(await client.keys('analytics-*')).toEqual([]);
    expect(await client.dbsize()).toBe(SEEDED + 1);
    expect(await client.call('PEXPIRETIME', 'apikey-lasting')).toBe(Date.parse('2099-01-01T00:00:00.123Z'));
    const proven = await prove();
    expect(proven.result?.proofs?.map(({ verdict }) => verdict)).toEqual(['pass', 'pass']);
    expect(proven.result?.summary).toContain(`${SEEDED + 1} equal, 10 expired`);

    await client.set('written-later', 'kept');
    await redis.kill();
    await redis.start();
    expect(await redis.client().get('written-later')).toBe('kept');
    expect(await redis.client().dbsize()).toBe(SEEDED + 2);
  });

  test('a restore that is killed on each side of each rename is finished by the next call', async () => {
    await lose();
    for (const side of ['before', 'after', 'before', 'after'] as const) {
      const killAtRename = { folder: redis.dataDir, nth: 1, side };
      expect(await killedActivity({ ...restoreCall(), killAtRename })).toBe(true);
    }
    expect(await callActivity(restoreCall())).toMatchObject({ result: { observed: true } });
    await redis.start();
    expect(await redis.client().dbsize()).toBe(SEEDED + 3);
  });
});

describe('a set is refused, and nothing is switched,', () => {
  const object = (): string => join(setFolder(scene.deployment.backup, 'acme', SET), 'redis.zst.age');
  afterEach(async () => {
    await cp(`${object()}.kept`, object());
    expect(await readdir(redis.dataDir)).toEqual(['old']);
  });

  test.each([
    ['cut short', 'OBJECT_DAMAGED', (file: string) => truncateBy(file, 1)],
    ['cut to nothing', 'OBJECT_DAMAGED', (file: string) => writeFile(file, '')],
    ['longer by a byte', 'OBJECT_DAMAGED', (file: string) => writeFile(file, 'x', { flag: 'a' })],
    ['changed in its first block', 'OBJECT_DAMAGED', (file: string) => flipByte(file, 900)],
    [
      'changed in its last byte',
      'OBJECT_DAMAGED',
      async (file: string) => flipByte(file, (await size(file)) - 1),
    ],
    ['missing', 'OBJECT_MISSING', (file: string) => rm(file)],
  ] as const)('when its RDB is %s', async (_how, code, damage) => {
    await lose();
    await cp(object(), `${object()}.kept`);
    await damage(object());
    expect((await callActivity(restoreCall())).error).toMatchObject({ code });
  });
});

describe('what an RDB must be', () => {
  const folder = (): string => join(redis.dir, 'rdb');
  const file = (): string => join(folder(), 'dump.rdb');
  let rdb: Buffer;
  beforeAll(async () => {
    await rm(folder(), { recursive: true, force: true });
    await mkdir(folder());
    await openObject(file());
    rdb = await readFile(file());
  });
  const load = async (bytes: Buffer): Promise<unknown> => {
    await writeFile(file(), bytes);
    return withScratchRedis('redis-server', folder(), collectFacts);
  };

  test('one cut or changed anywhere is not counted as a backup', async () => {
    for (const share of [0, 0.01, 0.4, 0.9, 0.9999]) {
      const at = Math.floor(rdb.length * share);
      // An empty file is an empty Redis to Redis: that one the counting must refuse.
      if (at > 0)
        await expect(load(rdb.subarray(0, at)), `cut at ${at}`).rejects.toThrow('the RDB in a scratch');
      const changed = Buffer.from(rdb);
      changed[at]! ^= 0x04;
      await expect(load(changed), `changed at ${at}`).rejects.toThrow('the RDB in a scratch');
    }
  });

  test('one of a newer Redis is refused by the server, and by us before anything is done', async () => {
    const newer = Buffer.from(rdb);
    newer.write('REDIS0011', 'latin1');
    await expect(load(newer)).rejects.toThrow("Can't handle RDB format version 11");
    const version = await redisVersion('redis-server');
    expect(() => requireReads(version, 10, '7.0.15')).not.toThrow();
    expect(() => requireReads(version, 11, '7.2.4')).toThrow('cannot load an RDB of version 11');
  });

  test('its values are compared in a form that a restart does not change', async () => {
    const dumps = (): Promise<string> =>
      withScratchRedis('redis-server', folder(), async (client) =>
        (await client.dumpBuffer('set-a')).toString('base64'),
      );
    const first = await load(rdb);
    const [one, other] = [await dumps(), await dumps()];
    expect(await load(rdb)).toEqual(first);
    // DUMP, which the guides compare, is not: sets and hashes come in another order after each start.
    expect(one).not.toBe(other);
  });
});

describe('a comparison fails', () => {
  test.each([
    ['a key is missing', 'Redis keys', (client) => client.del('set-a', 'set-b', ...briefKeys())],
    [
      'a key came in addition',
      'Redis keys',
      (client) =>
        client.mset(
          'more-1',
          'x',
          ...Array(20)
            .fill(0)
            .flatMap((_, n) => [`more-${n + 2}`, 'x']),
        ),
    ],
    ['a member of a set is gone', 'Redis key set ', (client) => client.srem('set-a', 'member 5')],
    [
      'a list has another order',
      'Redis key list ',
      (client) => client.lmove('list-b', 'list-b', 'LEFT', 'RIGHT'),
    ],
    ['a score changed', 'Redis key zset ', (client) => client.zincrby('zset-a', 0.25, 'member 9')],
    ['a field changed', 'Redis key hash ', (client) => client.hset('hash-b', 'member 9', 'other')],
    ['a stream lost an entry', 'Redis key stream ', (client) => client.xtrim('stream-a', 'MAXLEN', 19)],
    [
      'an expiry moved by a millisecond',
      'Redis key apikey ',
      (client) => client.call('PEXPIREAT', 'apikey-lasting', Date.parse('2099-01-01T00:00:00.124Z')),
    ],
    ['an expiry was lost', 'Redis key apikey ', (client) => client.persist('apikey-lasting')],
    [
      'a string became a list',
      'Redis key string ',
      (client) => client.multi().del('string-a').rpush('string-a', 'x').exec(),
    ],
  ] as [string, string, (client: ReturnType<TestRedis['client']>) => Promise<unknown>][])(
    'when %s',
    async (_what, names, change) => {
      await withScratchRedis('redis-server', join(redis.dir, 'rdb'), async (client) => {
        await dropAnalytics(client);
        await compareFacts(facts, client);
        await change(client);
        await expect(compareFacts(facts, client)).rejects.toThrow(names);
      });
    },
  );
});

const briefKeys = (): string[] => Array.from({ length: 10 }, (_, n) => `apikey-brief-${n}`);
const size = async (file: string): Promise<number> => (await readFile(file)).length;
const truncateBy = async (file: string, bytes: number): Promise<void> =>
  writeFile(file, (await readFile(file)).subarray(0, -bytes));

/** Decrypts the set's RDB as any recipient could by hand. */
async function openObject(into: string): Promise<void> {
  const { execa } = await import('execa');
  const identity = join(redis.dir, 'identity');
  await writeFile(identity, `${scene.keys.offline.reveal()}\n`, { mode: 0o600 });
  const sealed = join(setFolder(scene.deployment.backup, 'acme', SET), 'redis.zst.age');
  await execa('sh', ['-c', `age -d -i ${identity} ${sealed} | zstd -q -d > ${into}`]);
}
