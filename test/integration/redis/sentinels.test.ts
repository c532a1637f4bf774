import { afterEach, describe, expect, test } from 'vitest';
import { withClient, type RedisEndpoint } from '../../../adapters/redis/client.ts';
import type { CheckReplicasResult, StopWritesResult } from '../../../domain/plan.ts';
import { eventually } from '../../harness/gateway.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../../harness/redis.ts';
import {
  done,
  failingOver,
  makeFollow,
  replicating,
  SentinelWriter,
  startWatched,
  untilNamed,
  untilRole,
  type Watched,
} from '../../harness/sentinels.ts';

/** Sites whose master real Sentinels choose: what they have decided is adopted, and they are asked, never overruled. */

let watched: Watched;
const others: TestRedis[] = [];
afterEach(async () => {
  await Promise.all(others.splice(0).map((server) => server.close()));
  await watched?.close();
});

/** A master with keys, followed by the other site. */
async function pair(): Promise<Watched> {
  watched = await startWatched();
  await watched.servers.primary.client().mset({ 'apikey-1': 'one', 'apikey-2': 'two' });
  await makeFollow(watched, 'dr');
  return watched;
}

test('a standby follows the master, is known to the Sentinels, and may be chosen', async () => {
  watched = await startWatched();
  await watched.servers.primary.client().set('apikey-1', 'one');
  const step = replicating(watched, 'dr');
  expect((await done(step('check-source', { on: 'primary' }))).proofs).toContainEqual(
    expect.objectContaining({ name: 'Redis is the master by its Sentinels', verdict: 'pass' }),
  );
  await done(step('open-replication', { on: 'primary' }));
  // One day it will have to log in where it was the master.
  expect(await watched.servers.primary.client().config('GET', 'masterauth')).toEqual([
    ...['masterauth', REDIS_PASSWORD.reveal()],
  ]);
  expect((await done(step('follow-redis'))).summary).toContain('the Sentinels of tyk know it');
  expect(await watched.servers.dr.client().get('apikey-1')).toBe('one');
  expect((await done(step('prove-replicas'))).summary).toMatch(/^redis follows, /);
  await done(failingOver(watched, { to: 'dr', mode: 'graceful' })('check-replicas'));
});

test('a promotion that the Sentinels made by themselves is adopted, and nothing is asked of them', async () => {
  const { servers, written } = await pair();
  await servers.primary.kill();
  await untilNamed(watched, 'dr');
  const before = await written();

  const step = failingOver(watched, { to: 'dr', mode: 'forced' });
  const checked = (await done(step('check-replicas'))) as CheckReplicasResult;
  expect(checked.standing).toMatchObject([{ store: 'redis', role: 'writes', promoted: true }]);
  expect(checked.summary).toContain('the Sentinels have made it the master already');
  const promoted = await done(step('promote-redis'));
  expect(promoted).toMatchObject({ observed: true });
  expect(promoted.summary).toMatch(/^the Sentinels had made it the master already, 2 keys/);
  expect(await written()).toEqual(before);

  // The old one comes back as a master, and does not stay one.
  await servers.primary.start();
  await untilRole(servers.primary, 'replica');
  expect(await withClient(servers.dr.endpoint, (client) => client.get('apikey-2'))).toBe('two');
});

test('what the old master took that never came to the new one is measured while it can be asked', async () => {
  const { servers } = await pair();
  const pid = Number(/process_id:(\d+)/.exec(await servers.primary.client().info('server'))![1]);
  process.kill(pid, 'SIGSTOP');
  await untilNamed(watched, 'dr');
  process.kill(pid, 'SIGCONT');
  // It is back, and for a moment takes itself for the master.
  await withClient(servers.primary.endpoint, (client) => client.set('late', 'x'.repeat(5_000)));
  const step = failingOver(watched, { to: 'dr', mode: 'forced' });
  const { standing } = (await done(step('check-replicas'))) as CheckReplicasResult;
  expect(standing[0]!.lagBytes).toBeGreaterThan(5_000);
  await untilRole(servers.primary, 'replica');
});

test('a graceful switch is made by the Sentinels, and no acknowledged write is lost; so is the way back', async () => {
  const { servers } = await pair();
  const writer = new SentinelWriter(watched);
  writer.start();
  await eventually(() => expect(writer.acknowledged.length).toBeGreaterThan(200));
  await over('dr', 'primary');
  await eventually(() => expect(writer.acknowledged.length).toBeGreaterThan(600), 30_000);

  // The old site, as a failover leaves it: stopped, and made to follow.
  await makeFollow(watched, 'primary');
  await over('primary', 'dr');
  const reached = writer.acknowledged.length;
  await eventually(() => expect(writer.acknowledged.length).toBeGreaterThan(reached + 200), 30_000);
  await writer.stop();
  const keys = writer.acknowledged.map((number) => `written-${number}`);
  const found = await withClient(servers.primary.endpoint, (client) => client.mget(keys));
  expect(found).toEqual(writer.acknowledged.map(String));
}, 120_000);

async function over(to: 'primary' | 'dr', from: 'primary' | 'dr'): Promise<void> {
  const step = failingOver(watched, { to, mode: 'graceful', run: `fo-${to}` });
  await done(step('check-replicas', { on: to }));
  const { ends } = (await done(step('stop-writes', { on: from }))) as StopWritesResult;
  expect(ends.map(({ store }) => store)).toEqual(['redis']);
  await done(step('await-level', { on: to, more: [ends] }));
  await done(step('fence-source', { on: from }));
  const promoted = await done(step('promote-redis', { on: to }));
  expect(promoted.summary).toMatch(/by the Sentinels of tyk|had made it the master already/);
  await untilNamed(watched, to);
}

test('Sentinels that act in the middle of a graceful one are adopted, and leave no setting of ours behind', async () => {
  const { servers } = await pair();
  const step = failingOver(watched, { to: 'dr', mode: 'graceful' });
  await done(step('check-replicas'));
  const { ends } = (await done(step('stop-writes', { on: 'primary' }))) as StopWritesResult;
  // Nobody goes on: a write that is held holds up the Sentinels' own, and they take the master for dead.
  await untilNamed(watched, 'dr');
  const level = await done(step('await-level', { more: [ends] }));
  expect(level.proofs).toMatchObject([{ verdict: 'pass' }]);
  expect(await done(step('promote-redis'))).toMatchObject({ observed: true });
  // Given up after all: what waited is not taken by a server that is to follow, and it is whole again.
  const late = withClient(servers.primary.endpoint, (client) => client.set('late', '1'));
  late.catch(() => undefined);
  const resumed = await done(step('resume-writes', { on: 'primary' }));
  expect(resumed.summary).toContain('the Sentinels have its master elsewhere');
  await expect(late).rejects.toThrow();
  await untilRole(servers.primary, 'replica');
  const minimum = (): Promise<unknown> =>
    withClient(servers.primary.endpoint, (c) => c.config('GET', 'min-replicas-to-write'));
  expect(await minimum()).toEqual(['min-replicas-to-write', '0']);
  await servers.primary.kill();
  await servers.primary.start();
  expect(await minimum()).toEqual(['min-replicas-to-write', '0']);
}, 120_000);

test('a failover that is under way is waited for', async () => {
  const { group, servers } = await pair();
  await withClient(group.nodes[1]!, (sentinel) => sentinel.call('SENTINEL', 'FAILOVER', 'tyk'));
  const promoted = await done(failingOver(watched, { to: 'dr', mode: 'forced' })('promote-redis'));
  expect(promoted.summary).toMatch(/^the Sentinels had made it the master already/);
  await untilRole(servers.primary, 'replica');
});

async function replicasKnownTo(node: RedisEndpoint): Promise<Record<string, string>[]> {
  const rows = await withClient(node, (sentinel) => sentinel.call('SENTINEL', 'REPLICAS', 'tyk'));
  return (rows as string[][]).map((row) =>
    Object.fromEntries(row.flatMap((name, index) => (index % 2 === 0 ? [[name, row[index + 1]!]] : []))),
  );
}

test('where another server is the master, or would be, it is named and nothing is done', async () => {
  const { group, servers } = await pair();
  const third = await startTestRedis([
    ...['appendonly no', `replicaof 127.0.0.1 ${servers.primary.endpoint.port}`],
    ...[`masterauth ${REDIS_PASSWORD.reveal()}`, 'replica-priority 1'],
  ]);
  others.push(third);
  const step = failingOver(watched, { to: 'dr', mode: 'forced' });
  const address = `127.0.0.1:${third.endpoint.port}`;
  await eventually(async () => {
    expect((await step('check-replicas')).error).toMatchObject({
      code: 'SENTINEL_CANNOT_CHOOSE',
      message: expect.stringContaining(`${address}, whose replica-priority is 1`) as string,
    });
  }, 30_000);
  // Any of them may be the one that chooses.
  for (const node of group.nodes)
    await eventually(async () => {
      const [server] = (await replicasKnownTo(node)).filter(
        ({ port }) => port === String(third.endpoint.port),
      );
      expect(server).toMatchObject({ 'slave-priority': '1', 'master-link-status': 'ok' });
    }, 30_000);
  await servers.primary.kill();
  await eventually(async () => expect((await watched.view()).master.port).toBe(third.endpoint.port), 30_000);
  await eventually(async () => {
    const { error } = await step('check-replicas');
    expect(error?.message).toContain(address);
  }, 30_000);
  expect((await step('promote-redis')).error).toMatchObject({
    ...{ code: 'SENTINEL_NAMES_ANOTHER', message: expect.stringContaining(address) as string },
  });
  await untilRole(servers.dr, 'replica');
}, 60_000);

test('nobody follows a site whose Redis the Sentinels do not name', async () => {
  const { group } = await pair();
  await withClient(group.nodes[0]!, (sentinel) => sentinel.call('SENTINEL', 'FAILOVER', 'tyk'));
  await untilNamed(watched, 'dr');
  const { error } = await replicating(watched, 'dr')('check-source', { on: 'primary' });
  expect(error).toMatchObject({ code: 'SENTINEL_NAMES_ANOTHER' });
  expect(error!.message).toContain(`127.0.0.1:${watched.servers.dr.endpoint.port}`);
});

describe('too few Sentinels', () => {
  test('are told so; what a person has one of them do is adopted', async () => {
    const { group, sentinels, servers } = await pair();
    await sentinels[1]!.kill();
    await sentinels[2]!.kill();
    await servers.primary.kill();
    const step = failingOver(watched, { to: 'dr', mode: 'forced' });
    await eventually(async () => {
      expect((await step('check-replicas')).error).toMatchObject({ code: 'SENTINEL_NO_MAJORITY' });
    }, 30_000);
    expect((await step('promote-redis')).error).toMatchObject({ code: 'SENTINEL_NO_MAJORITY' });
    await untilRole(servers.dr, 'replica');
    // The way that the hint names.
    await withClient(group.nodes[0]!, (sentinel) => sentinel.call('SENTINEL', 'FAILOVER', 'tyk'));
    expect(await done(step('promote-redis'))).toMatchObject({ observed: true });
    // Those that were away learn of it.
    await sentinels[1]!.start();
    await sentinels[2]!.start();
    await untilNamed(watched, 'dr');
    expect((await watched.view()).named).toHaveLength(3);
  }, 90_000);

  test('none at all is an error that names them', async () => {
    const { sentinels } = await pair();
    for (const sentinel of sentinels) await sentinel.kill();
    const step = failingOver(watched, { to: 'dr', mode: 'forced' });
    for (const id of ['check-replicas', 'promote-redis'])
      expect((await step(id)).error, id).toMatchObject({
        ...{ code: 'REDIS_SENTINEL', message: expect.stringContaining(String(sentinels[0]!.port)) as string },
      });
  });
});
