import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify, parse } from 'yaml';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withClient } from '../../../adapters/redis/client.ts';
import { restoreKeys } from '../../../adapters/redis/restore-keys.ts';
import { shardsOf } from '../../../adapters/redis/shards.ts';
import { redisSettings } from '../../../adapters/redis/settings.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { Manifest } from '../../../domain/manifest.ts';
import { Secret } from '../../../domain/secret.ts';
import { callActivity, startActivity, type ActivityCall, type ChildEnd } from '../../harness/activity.ts';
import {
  backupStepOf,
  signSet,
  stepOf,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import { seedEveryType, startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { makeCertificates, tlsLines } from '../../harness/tls.ts';

/** A Redis without file access: TLS only, with the client's certificate, and a user who may do no more than needed. */

const SET = '20260101T000000Z-0001';
const MANY = 20_000;
const LASTS_UNTIL = Date.parse('2099-01-01T00:00:00.123Z');
/** What docs/redis.md lists: for a backup, and for a restore with its proofs. */
const READS = '+@connection +info +scan +dump +pexpiretime +time +pttl +memory|usage +dbsize +exists +type';
const RESTORES = `${READS} +restore +unlink +del +hset +hgetall +get +lrange +smembers +zrange +xrange`;

let dir: string;
let source: TestRedis;
let target: TestRedis;
let scene: TestDeployment;
let manifest: Manifest;
let runs = 0;
let run: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-commands-'));
  const certificates = await makeCertificates(dir);
  const { ca, cert, key } = certificates;
  const [caPem, certPem, keyPem] = (await Promise.all(
    [ca, cert, key].map((file) => readFile(file, 'utf8')),
  )) as [string, string, string];
  const user = (name: string, rights: string): string => `user ${name} on >password-of-${name} ~* ${rights}`;
  const tls = { ca: caPem, cert: certPem, key: new Secret(keyPem) };
  const start = (more: string[]) =>
    startTestRedis((port) => [...tlsLines(certificates, port), ...more], { tls });
  [source, target] = await Promise.all([
    start([user('reader', READS)]),
    start([user('restorer', RESTORES), user('reader', READS)]),
  ]);
  await Promise.all(
    ['reader', 'restorer'].map((name) =>
      writeFile(join(dir, name), `password-of-${name}\n`, { mode: 0o600 }),
    ),
  );
  const managed = ({ endpoint: { port } }: TestRedis, username: string) => ({
    ...{ port, method: 'commands', service: undefined, username, tls: { ca, cert, key } },
    password: `file:${join(dir, username)}`,
  });
  scene = await writeDeployment(join(dir, 'config'), {
    redis: managed(target, 'restorer'),
    primaryRedis: managed(source, 'reader'),
  });
  const client = source.client();
  await seedEveryType(client);
  await client.call('DEBUG', 'POPULATE', MANY, 'apikey', 60);
  await client.rpush('analytics-tyk-system-analytics', 'pumped already');
  await client.set('apikey-lasting', 'x', 'PXAT', LASTS_UNTIL);
  // A value that is larger than a batch may be.
  await client.set('cert-large', 'c'.repeat(6 << 20));
}, 60_000);
afterAll(async () => {
  await Promise.all([source?.close(), target?.close()]);
  await rm(dir, { recursive: true, force: true });
});
beforeEach(() => {
  runs += 1;
  run = `run-${runs}`;
});

const call = (
  activity: string,
  input: ActivityCall['input'],
  configFile = scene.configFile,
): ActivityCall => ({
  ...{ configFile, activity, input },
});
const step = (name: string, more: { component?: 'redis'; set?: string } = {}) =>
  stepOf(scene, { run, step: name, set: SET, epoch: runs, ...more });
const restore = (more = {}): ActivityCall => call('restore-redis-data', step('restore-redis-data', more));
const prove = (): Promise<ChildEnd> => callActivity(call('prove-redis', step('prove-redis')));
const undo = (): Promise<ChildEnd> => callActivity(call('undo-switch', step('restore-redis-data')));
const summary = ({ result, error }: ChildEnd): string => {
  expect(error).toBeUndefined();
  return result!.summary;
};

async function* all<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

/** The payload with another RDB version in its footer, and the checksum that goes with it. */
function asVersion(version: number, payload: Buffer): Buffer {
  const changed = Buffer.from(payload);
  changed.writeUInt16LE(version, changed.length - 10);
  let crc = 0n;
  for (const byte of changed.subarray(0, -8)) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  }
  changed.writeBigUInt64LE(crc, changed.length - 8);
  return changed;
}

/** The mark is written with each batch. */
async function onceMarked(times: number): Promise<void> {
  const listener = target.client().duplicate();
  let seen = 0;
  await listener.subscribe('__keyspace@0__:tyk-dr:restore');
  await new Promise<void>((resolve) => listener.on('message', () => ++seen === times && resolve()));
  listener.disconnect();
}

/** The same configuration, with one thing about a site's Redis changed. */
async function changed(site: 'primary' | 'dr', change: Record<string, unknown>): Promise<string> {
  const config = parse(await readFile(scene.configFile, 'utf8')) as {
    deployments: { acme: { sites: Record<string, { redis: Record<string, unknown> }> } };
  };
  Object.assign(config.deployments.acme.sites[site]!.redis, change);
  const file = join(dir, `changed-${Math.random()}.yaml`);
  await writeFile(file, stringify(config), { mode: 0o600 });
  return file;
}

test('a backup takes every key, by commands that stall nobody, and leaves nothing in the clear', async () => {
  const made = await callActivity(
    call('back-up-redis', backupStepOf(scene, 'back-up-redis', SET, 'primary')),
  );
  const part = made.result as PartResult;
  expect(made.error).toBeUndefined();
  // Of every type, two; the many, the lasting, the large one. Not the analytics.
  expect(part.redis).toMatchObject({ method: 'commands', keys: 16 + MANY + 2, expires: 1, rdbVersion: 10 });
  const used = await source.client().info('commandstats');
  for (const stalls of ['keys', 'save', 'bgsave', 'sync', 'psync'])
    expect(used).not.toContain(`cmdstat_${stalls}:`);
  expect(await readdir(join(dir, 'config', 'primary', 'state'))).toEqual([]);
  manifest = await signSet(scene, { set: SET, objects: part.objects, redis: part.redis! });
});

test('the settings of a live server are read, with and without the right to CONFIG', async () => {
  const asAdmin = await redisSettings(source.client());
  expect(asAdmin).toMatchObject({
    appendOnly: false,
    appendFsync: 'everysec',
    save: '',
    disklessDelaySeconds: 0,
  });
  expect(asAdmin.usedMemoryBytes).toBeGreaterThan(MANY * 60);
  const password = new Secret('password-of-reader');
  const asReader = await withClient({ ...source.endpoint, username: 'reader', password }, redisSettings);
  expect(asReader).toMatchObject({ appendOnly: false, evictionPolicy: 'noeviction' });
  expect(asReader.configDenied).toContain("'config|get' command");
});

describe('a restore', () => {
  test('goes into a running Redis, with exact expiries, and is found done by the next call', async () => {
    expect(summary(await callActivity(restore()))).toBe(`${manifest.redis!.keys} keys put into Redis`);
    const client = target.client();
    expect(await client.call('PEXPIRETIME', 'apikey-lasting')).toBe(LASTS_UNTIL);
    expect(await client.strlen('cert-large')).toBe(6 << 20);
    expect((await prove()).result?.proofs?.map(({ verdict, actual }) => [verdict, actual])).toEqual([
      ['pass', String(16 + MANY + 2)],
      ['pass', '200 equal, 0 expired'],
    ]);
    expect(await callActivity(restore())).toMatchObject({ result: { observed: true } });
    // At close-out the keys become the site's own: the next run must not take them for its own.
    summary(await callActivity(call('discard-old-data', step('discard-old-data'))));
    run = 'run-of-another';
    expect((await callActivity(restore())).error).toMatchObject({ code: 'REDIS_NOT_EMPTY' });
    expect((await callActivity(call('check-target', step('check-target')))).error).toMatchObject({
      code: 'REDIS_NOT_EMPTY',
    });
    expect(await client.dbsize()).toBe(16 + MANY + 2);
  });

  test('in place removes what is there; killed in its midst it goes on where it was', async () => {
    const client = target.client();
    await client.set('of-nobody', 'x');
    await client.config('SET', 'notify-keyspace-events', 'Kh');
    const running = await startActivity(restore({ component: 'redis' }));
    const ended = running.end.then(() => Promise.reject(new Error('it ended before it was killed')));
    ended.catch(() => undefined);
    await Promise.race([onceMarked(5), ended]);
    running.kill();
    expect((await running.end).killed).toBe(true);
    expect(await client.hget('tyk-dr:restore', 'state')).toBe('restoring');
    expect(await prove()).toMatchObject({ error: { code: 'DATA_UNPROVEN' } });

    const done = summary(await callActivity(restore({ component: 'redis' })));
    expect(done).toMatch(/^\d+ keys put into Redis, \d+ of them before this attempt$/);
    expect((await prove()).error).toBeUndefined();
    expect(await client.exists('of-nobody')).toBe(0);
    // What was replaced cannot come back, and the undo says so rather than emptying it.
    expect(summary(await undo())).toContain('what it held before was removed');
    expect(await client.dbsize()).toBeGreaterThan(MANY);
  });

  test('that was given up leaves the Redis as empty as it was, and another run may begin', async () => {
    await target.client().flushall();
    summary(await callActivity(restore()));
    expect(summary(await undo())).toContain('it is empty, as it was');
    expect(await target.client().dbsize()).toBe(0);
    expect(summary(await undo())).toBe('this run had put nothing into Redis');
  });

  test('is refused before anything is changed where the target is too old for the values', async () => {
    const newer = '20260101T000000Z-0002';
    await signSet(scene, {
      ...{ set: newer, objects: manifest.objects },
      redis: { ...manifest.redis!, version: '7.2.4', rdbVersion: 11 },
    });
    for (const activity of ['check-target', 'restore-redis-data'])
      expect((await callActivity(call(activity, step(activity, { set: newer })))).error).toMatchObject({
        code: 'REDIS_TOO_OLD',
        message: expect.stringContaining('Redis 7.0.15') as string,
      });
    expect(await target.client().dbsize()).toBe(0);
  });
});

test('a value of an older Redis goes into a newer one; one that has expired since is not there', async () => {
  const client = target.client();
  await client.set('older', 'the value');
  const payload = await client.dumpBuffer('older');
  await client.del('older');
  const key = (name: string) => Buffer.from(name);
  const records = [
    { key: key('of-redis-6'), expiresAtMs: LASTS_UNTIL, payload: asVersion(9, payload) },
    { key: key('expired'), expiresAtMs: Date.now() - 1, payload },
  ];
  expect(await restoreKeys(shardsOf(client), all(records))).toBe(2);
  expect(await client.get('of-redis-6')).toBe('the value');
  expect(await client.call('PEXPIRETIME', 'of-redis-6')).toBe(LASTS_UNTIL);
  expect(await client.exists('expired')).toBe(0);
  const newer = [{ key: key('of-redis-9'), expiresAtMs: 0, payload: asVersion(99, payload) }];
  await expect(restoreKeys(shardsOf(client), all(newer))).rejects.toThrow('a value of RDB version 99');
  await client.flushall();
});

describe('a user without a right is told the command', () => {
  test.each([
    ['RESTORE', 'restore-redis-data', async () => restore()],
    [
      'SCAN',
      'back-up-redis',
      async () =>
        call('back-up-redis', backupStepOf(scene, 'back-up-redis', '20260101T000000Z-0003', 'primary')),
    ],
  ] as const)('%s in %s', async (command, activity, make) => {
    const asked = await make();
    const backup = activity === 'back-up-redis';
    if (backup) await source.client().call('ACL', 'SETUSER', 'reader', '-scan');
    else await target.client().call('ACL', 'SETUSER', 'restorer', '-restore');
    const { error } = await callActivity(asked);
    expect(error).toMatchObject({ code: 'REDIS_DENIED' });
    expect(error!.message).toContain(
      `user ${backup ? 'reader' : 'restorer'} may not run ${command} on Redis`,
    );
  });

  test.each([
    ['another authority', { tls: {} }, /certificate/],
    ['no TLS', { tls: undefined }, /./],
    ['a wrong password', { username: 'nobody' }, /WRONGPASS/],
  ])('and %s is not reached', async (_what, change, reason) => {
    const { error } = await callActivity({ ...restore(), configFile: await changed('dr', change) });
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(error!.message).toMatch(reason);
    expect(error!.message).not.toContain('password-of');
  });
});
