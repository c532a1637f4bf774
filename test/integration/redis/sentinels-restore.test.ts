import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { withClient } from '../../../adapters/redis/client.ts';
import { withSentinels } from '../../../adapters/redis/sentinels.ts';
import { heldSentinels } from '../../../activities/watched-redis.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { StopTargetResult } from '../../../domain/plan.ts';
import { callActivity } from '../../harness/activity.ts';
import { backupStepOf, signSet } from '../../harness/deployment.ts';
import { eventually } from '../../harness/gateway.ts';
import {
  done,
  DOWN_AFTER_MS,
  makeFollow,
  recovering,
  startWatched,
  stepsOf,
  untilNamed,
  untilRole,
  type SiteName,
  type Step,
  type Watched,
} from '../../harness/sentinels.ts';
import { healPlan } from '../../../runbooks/monitor-plan.ts';
import { shapeOf } from '../../../runbooks/shape-of.ts';

/** A set that is put into one of the servers that Sentinels watch: what was restored stays, and is followed. */

const SET = '20260101T000000Z-0001';

let watched: Watched;
afterEach(() => watched?.close());

/** A set of two keys; then something that nobody wants, on both sites. */
async function damaged(): Promise<Watched> {
  watched = await startWatched();
  const client = watched.servers.primary.client();
  await client.mset({ 'apikey-1': 'one', 'apikey-2': 'two' });
  await makeFollow(watched, 'dr');
  await backUp('primary', SET);
  await client.set('damage', 'x');
  await client.wait(1, 10_000);
  return watched;
}

async function backUp(site: SiteName, set: string): Promise<PartResult> {
  const { scene } = watched;
  const made = await callActivity({
    ...{ configFile: scene.configFile, activity: 'back-up-redis', worker: site },
    input: backupStepOf(scene, 'back-up-redis', set, site),
  });
  expect(made.error).toBeUndefined();
  const part = made.result as PartResult;
  await signSet(scene, { set, site, objects: part.objects, redis: part.redis! });
  return part;
}

const restore = async (step: Step, on: SiteName): Promise<string> => {
  await done(step('restore-redis-data', { on, set: SET }));
  const { summary } = await done(step('start-redis', { on, set: SET }));
  await done(step('prove-redis', { on, set: SET }));
  return summary;
};

const keysOf = (site: SiteName): Promise<string[]> =>
  withClient(watched.servers[site].endpoint, (client) => client.keys('*')).then((keys) => keys.sort());

const downAfter = (): Promise<number[]> =>
  withSentinels(watched.group, async (all) => Object.values(await all.downAfter()));

const stateOf = (site: SiteName): string => watched.scene.deployment.sites[site]!.stateDir;

test('in place: the Sentinels hold still, the standby gets what was restored, and they act again', async () => {
  await damaged();
  const step = recovering(watched, { to: 'primary', from: 'primary', component: 'redis', inPlace: true });
  const claimed = await done(step('claim-target', { on: 'primary' }));
  expect(claimed.summary).toContain('the Sentinels hold still until its Redis runs again');
  // As long as a large set takes: by now they would have made the other one the master, with the damage.
  await sleep(3 * DOWN_AFTER_MS);
  // A worker that was killed begins again.
  await done(step('claim-target', { on: 'primary' }));
  expect(await restore(step, 'primary')).toContain('the master by its Sentinels');

  expect(await keysOf('primary')).toEqual(['apikey-1', 'apikey-2']);
  await eventually(async () => expect(await keysOf('dr')).toEqual(['apikey-1', 'apikey-2']), 30_000);
  await untilNamed(watched, 'primary');
  expect(await downAfter()).toEqual([DOWN_AFTER_MS, DOWN_AFTER_MS, DOWN_AFTER_MS]);
  expect(await heldSentinels(stateOf('primary'))).toBeUndefined();
}, 60_000);

test('given up in the middle, the Sentinels act again', async () => {
  await damaged();
  const step = recovering(watched, { to: 'primary', from: 'primary', component: 'redis', inPlace: true });
  await done(step('claim-target', { on: 'primary' }));
  const { states } = (await done(step('stop-target', { on: 'primary' }))) as StopTargetResult;
  expect(states).toMatchObject({ Sentinels: 'act again' });
  await untilNamed(watched, 'dr');
}, 60_000);

test('where too many of them cannot be told, nothing is stopped', async () => {
  await damaged();
  const [, second, third] = watched.sentinels;
  await second!.kill();
  await third!.kill();
  const step = recovering(watched, { to: 'primary', from: 'primary', component: 'redis', inPlace: true });
  const { error } = await step('claim-target', { on: 'primary' });
  expect(error).toMatchObject({ code: 'SENTINEL_IN_THE_WAY' });
  expect(error!.message).toContain('2 of 3 cannot be told to hold still');
  expect(await keysOf('primary')).toContain('damage');
}, 60_000);

test('on the site of the standby: the Sentinels make it the master, and the old one comes back below it', async () => {
  await damaged();
  const step = recovering(watched, { to: 'dr', from: 'primary' });
  await done(step('fence-source', { on: 'primary' }));
  await done(step('claim-target'));
  expect(await restore(step, 'dr')).toMatch(/the master by its Sentinels|have made it the master/);
  await untilNamed(watched, 'dr');
  expect(await downAfter()).toEqual([DOWN_AFTER_MS, DOWN_AFTER_MS, DOWN_AFTER_MS]);

  await watched.servers.primary.start();
  await untilRole(watched.servers.primary, 'replica');
  await eventually(async () => expect(await keysOf('primary')).toEqual(['apikey-1', 'apikey-2']), 30_000);
  expect(await keysOf('dr')).toEqual(['apikey-1', 'apikey-2']);
}, 60_000);

test('not in place where another one is the master: nothing that is restored there would last', async () => {
  await damaged();
  await watched.servers.primary.kill();
  await untilNamed(watched, 'dr');
  const step = recovering(watched, { to: 'primary', from: 'primary', component: 'redis', inPlace: true });
  await done(step('restore-redis-data', { on: 'primary', set: SET }));
  expect((await step('start-redis', { on: 'primary', set: SET })).error).toMatchObject({
    code: 'SENTINEL_NAMES_ANOTHER',
  });
}, 60_000);

test('what is started as it is follows the one that they have chosen, and takes no write before', async () => {
  await damaged();
  const { servers, scene } = watched;
  await servers.primary.kill();
  await untilNamed(watched, 'dr');
  await withClient(servers.dr.endpoint, (client) => client.set('apikey-3', 'three'));
  const dead = { component: 'redis', names: ['redis'], why: 'no answer' } as const;
  const step = stepsOf(watched, healPlan(shapeOf('acme', scene.deployment), 'primary', dead), 'rec-heal');
  const { summary } = await done(step('start-redis', { on: 'primary' }));
  expect(summary).toContain(`follows 127.0.0.1:${servers.dr.endpoint.port}, which the Sentinels have made`);
  expect(await keysOf('primary')).toContain('apikey-3');
  expect(await readFile(servers.primary.configFile, 'utf8')).toMatch(/^replicaof /m);
  await untilNamed(watched, 'dr');

  // What is backed up there is the master's: its own, or that of the master where it has fallen behind.
  const level = await backUp('primary', '20260101T000000Z-0002');
  expect(level.summary).toContain(`from a replica of 127.0.0.1:${servers.dr.endpoint.port}`);
  await withClient(servers.primary.endpoint, (client) => client.config('SET', 'masterauth', 'wrong'));
  await withClient(servers.dr.endpoint, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'replica'));
  const behind = await backUp('primary', '20260101T000000Z-0003');
  expect(behind.summary).toContain(`from the master 127.0.0.1:${servers.dr.endpoint.port}`);
}, 60_000);
