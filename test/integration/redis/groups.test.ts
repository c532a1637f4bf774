import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, withClient } from '../../../adapters/redis/client.ts';
import type { PartResult } from '../../../domain/backup.ts';
import { callActivity, type ChildEnd } from '../../harness/activity.ts';
import {
  backupStepOf,
  signSet,
  stepOf,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import { eventually } from '../../harness/gateway.ts';
import { REDIS_PASSWORD, seedEveryType } from '../../harness/redis.ts';
import {
  startCluster,
  startSentinel,
  type TestCluster,
  type TestSentinel,
} from '../../harness/redis-groups.ts';

/** Redis behind Sentinel, and as a Cluster of three masters: backed up, and restored into one of another layout. */

const OF_SENTINEL = '20260101T000000Z-0001';
const OF_CLUSTER = '20260101T000000Z-0002';
const KEYS = 3_000;
const LASTS_UNTIL = Date.parse('2099-01-01T00:00:00.123Z');

let dir: string;
let sentinel: TestSentinel;
let three: TestCluster;
let two: TestCluster;
let toTwo: TestDeployment;
let toSentinel: TestDeployment;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-groups-'));
  const password = `file:${join(dir, 'password')}`;
  await writeFile(join(dir, 'password'), REDIS_PASSWORD.reveal(), { mode: 0o600 });
  [sentinel, three, two] = await Promise.all([
    // An older Redis, or a provider, does not have it: expiries come by PTTL and the server's clock.
    startSentinel('tyk', ['rename-command PEXPIRETIME ""']),
    startCluster([[[0, 5_460]], [[5_461, 10_922]], [[10_923, 16_383]]]),
    startCluster([
      [
        [0, 99],
        [9_000, 16_383],
      ],
      [[100, 8_999]],
    ]),
  ]);
  const managed = { method: 'commands', service: undefined, password };
  const address = ({ endpoint: { port } }: { endpoint: { port: number } }): string => `127.0.0.1:${port}`;
  const bySentinel = { ...managed, sentinel: { name: 'tyk', nodes: [address(sentinel)], password } };
  toTwo = await writeDeployment(join(dir, 'two'), {
    redis: { ...managed, cluster: { nodes: two.nodes.map(address) } },
    primaryRedis: bySentinel,
  });
  toSentinel = await writeDeployment(join(dir, 'sentinel'), {
    redis: bySentinel,
    primaryRedis: { ...managed, cluster: { nodes: [address(three.nodes[1]!)] } },
  });
}, 90_000);
afterAll(async () => {
  await Promise.all([sentinel, three, two].map((group) => group?.close()));
  await rm(dir, { recursive: true, force: true });
});

const backUp = (scene: TestDeployment, set: string): Promise<ChildEnd> =>
  callActivity({
    configFile: scene.configFile,
    activity: 'back-up-redis',
    input: backupStepOf(scene, 'back-up-redis', set, 'primary'),
  });
const step = (scene: TestDeployment, activity: string, set: string): Promise<ChildEnd> =>
  callActivity({
    ...{ configFile: scene.configFile, activity },
    input: stepOf(scene, { run: `run-${set}`, step: activity, set }),
  });
const counts = (cluster: TestCluster): Promise<number[]> =>
  Promise.all(cluster.nodes.map((node) => node.client().dbsize()));

test('what a Sentinel’s replica holds is backed up, and restored into a Cluster by key', async () => {
  const client = sentinel.master.client();
  await seedEveryType(client);
  await client.mset(
    Object.fromEntries(Array.from({ length: KEYS }, (_, n) => [`apikey-${n}`, `value ${n}`])),
  );
  await client.set('apikey-lasting', 'x', 'PXAT', LASTS_UNTIL);
  await client.wait(1, 10_000);
  const made = await backUp(toTwo, OF_SENTINEL);
  const part = made.result as PartResult;
  expect(made.error).toBeUndefined();
  expect(part.summary).toContain(`${16 + KEYS + 1} keys from a replica`);
  await signSet(toTwo, { set: OF_SENTINEL, objects: part.objects, redis: part.redis! });

  expect((await step(toTwo, 'restore-redis-data', OF_SENTINEL)).error).toBeUndefined();
  expect((await step(toTwo, 'start-redis', OF_SENTINEL)).error).toBeUndefined();
  expect((await step(toTwo, 'prove-redis', OF_SENTINEL)).result?.proofs?.map(({ actual }) => actual)).toEqual(
    [String(16 + KEYS + 1), '200 equal, 0 expired'],
  );
  const [most, fewer] = await counts(two);
  expect(most! + fewer!).toBe(16 + KEYS + 1 + 1);
  expect(Math.min(most!, fewer!)).toBeGreaterThan(KEYS / 3);
  // The mark goes at close-out, wherever its slot is.
  expect((await step(toTwo, 'discard-old-data', OF_SENTINEL)).error).toBeUndefined();
  const [a, b] = await counts(two);
  expect(a! + b!).toBe(16 + KEYS + 1);
});

test('three masters are backed up, each key once, and restored to the master that the Sentinel now names', async () => {
  for (const { client } of three.nodes) await client().config('SET', 'notify-keyspace-events', '');
  await Promise.all(three.nodes.map((node) => fillOwnSlots(node.client())));
  const keys = (await counts(three)).reduce((sum, count) => sum + count, 0);
  const made = await backUp(toSentinel, OF_CLUSTER);
  const part = made.result as PartResult;
  expect(made.error).toBeUndefined();
  expect(part.summary).toContain(`${keys} keys from 3 masters`);
  await signSet(toSentinel, { set: OF_CLUSTER, objects: part.objects, redis: part.redis! });

  await sentinel.master.client().flushall();
  await sentinel.master.client().wait(1, 10_000);
  await failOver();
  expect((await step(toSentinel, 'restore-redis-data', OF_CLUSTER)).error).toBeUndefined();
  expect((await step(toSentinel, 'prove-redis', OF_CLUSTER)).result?.proofs?.[1]?.actual).toBe(
    '200 equal, 0 expired',
  );
  // It was written to the new master: the old one, where our configuration knows nothing of it, follows.
  expect(await withClient(sentinel.replica.endpoint, (client) => client.get('apikey-7'))).toBe('value 7');
});

describe('a Cluster that is not whole is refused', () => {
  test('when slots are on their way, or have no master', async () => {
    const [first, second] = three.nodes as [(typeof three.nodes)[0], (typeof three.nodes)[0]];
    const id = String(await second.client().call('CLUSTER', 'MYID'));
    await first.client().call('CLUSTER', 'SETSLOT', 7, 'MIGRATING', id);
    const asked = three.nodes[1]!.client();
    const own = String(await first.client().call('CLUSTER', 'MYID'));
    await asked.call('CLUSTER', 'SETSLOT', 7, 'IMPORTING', own);
    expect((await backUp(toSentinel, '20260101T000000Z-0003')).error).toMatchObject({
      code: 'REDIS_CLUSTER_UNSOUND',
      message: expect.stringContaining('slot 7 is being moved') as string,
    });
    await asked.call('CLUSTER', 'SETSLOT', 7, 'STABLE');
    // First where it is: its owner would tell the others of it again.
    await first.client().call('CLUSTER', 'DELSLOTS', 42);
    await asked.call('CLUSTER', 'DELSLOTS', 42);
    expect((await backUp(toSentinel, '20260101T000000Z-0003')).error).toMatchObject({
      code: 'REDIS_CLUSTER_UNSOUND',
      message: expect.stringContaining('1 of 16384 slots have no master, the first is 42') as string,
    });
  });
});

/** Some of the keys on each node, one of them with an expiry. */
async function fillOwnSlots(client: ReturnType<TestSentinel['master']['client']>): Promise<void> {
  for (let n = 0; n < KEYS; n += 1)
    await client.set(`apikey-${n}`, `value ${n}`, 'PXAT', LASTS_UNTIL).catch((error: Error) => {
      if (!error.message.startsWith('MOVED')) throw error;
    });
}

async function failOver(): Promise<void> {
  const asked = await connect(sentinel.endpoint);
  await asked.call('SENTINEL', 'FAILOVER', 'tyk');
  await eventually(async () => {
    const [, port] = (await asked.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'tyk')) as [string, string];
    expect(Number(port)).toBe(sentinel.replica.endpoint.port);
    // A Sentinel closes the connections of whoever it promotes.
    await withClient(sentinel.replica.endpoint, async (client) =>
      expect((await client.role())[0]).toBe('master'),
    );
  }, 30_000);
  asked.disconnect();
}
