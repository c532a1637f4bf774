import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Secret } from '../../../domain/secret.ts';
import { DASHBOARD_PATHS } from '../../../lab/tyk/dashboard-protocol.ts';
import { keyHash } from '../../../lab/tyk/key-hash.ts';
import {
  NOTIFICATION_CHANNEL,
  signNotification,
  type NotificationCommand,
} from '../../../lab/tyk/notification.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { eventually, NODE_SECRET, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import type { DashboardStub } from './dashboard-stub.ts';
import { startScene, statusOf, untilStatus, type Scene } from './scene.ts';

/** A Gateway asks for the channel before it is connected, and then only every 10 s. */
const STARTS_LISTENING_MS = 20_000;
const POLICY = '64b000000000000000000001';

describe(`reload, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('reload');
  let scene: Scene;
  let gateway: RunningGateway;
  let dashboard: DashboardStub;

  beforeAll(async () => {
    scene = await startScene();
    dashboard = scene.dashboard;
    serve();
    dashboard.policies = [scene.policy({ id: POLICY, access_rights: accessTo(['token']) })];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/open/', 200);
  });
  afterAll(() => scene.end());

  const serve = () => {
    dashboard.apis = [scene.api({ apiId: 'open', auth: 'keyless' }), scene.api({ apiId: 'token' })];
  };
  const publish = (message: unknown) =>
    scene.redis.client.publish(NOTIFICATION_CHANNEL, JSON.stringify(message));
  const listeners = async () => Number((await scene.redis.client.pubsub('NUMSUB', NOTIFICATION_CHANNEL))[1]);
  const notify = (command: NotificationCommand) => publish(signNotification(command, NODE_SECRET));
  const fetches = () => dashboard.count(DASHBOARD_PATHS.apis);
  const reload = () => gateway.control('GET', '/tyk/reload?block=true');

  proves.concurrent(
    'reload.dashboard-error-keeps',
    'APIs stay on an error; then it registers anew',
    async () => {
      const other = await scene.anotherDashboard();
      other.apis = [scene.api({ apiId: 'open', auth: 'keyless' })];
      const failing = await scene.gateway({ source: { dashboardUrl: other.url } });
      await untilStatus(failing, '/open/', 200);
      const registered = other.count(DASHBOARD_PATHS.register);
      other.failures.set(DASHBOARD_PATHS.apis, 500);
      other.apis = [];
      await failing.control('GET', '/tyk/reload');
      await eventually(() => expect(other.count(DASHBOARD_PATHS.apis, 500)).toBe(1));
      expect(await statusOf(failing, '/open/')).toBe(200);
      other.apis = [scene.api({ apiId: 'back', auth: 'keyless' })];
      other.failures.clear();
      await eventually(() => expect(other.count(DASHBOARD_PATHS.register)).toBe(registered + 1), 12_000);
      await untilStatus(failing, '/back/', 200, { timeoutMs: 12_000 });
    },
  );

  proves.concurrent('reload.deaf-at-first', 'hears no notification in its first seconds', async () => {
    expect(await notify('ApiUpdated')).toBe(0);
    const listening = async () => expect(await listeners()).toBe(1);
    await eventually(listening, STARTS_LISTENING_MS);
  });

  proves('reload.added-api', 'ApiUpdated brings in a new API', async () => {
    dashboard.apis = [...dashboard.apis, scene.api({ apiId: 'added', auth: 'keyless' })];
    expect(await statusOf(gateway, '/added/')).toBe(404);
    await notify('ApiUpdated');
    await untilStatus(gateway, '/added/', 200);
  });

  proves('reload.removed-api', 'and takes out one that is gone', async () => {
    serve();
    await notify('ApiUpdated');
    await untilStatus(gateway, '/added/', 404);
    expect(await statusOf(gateway, '/open/')).toBe(200);
  });

  proves('reload.changed-api', 'a changed definition takes effect', async () => {
    dashboard.apis = [scene.api({ apiId: 'open', auth: 'token' })];
    await notify('ApiUpdated');
    await untilStatus(gateway, '/open/', 401);
    serve();
    await notify('ApiUpdated');
    await untilStatus(gateway, '/open/', 200);
  });

  proves('reload.commands', 'four more commands do the same', async () => {
    const commands = ['ApiAdded', 'ApiRemoved', 'PolicyChanged', 'GroupReload'] as const;
    for (const command of commands) {
      const before = fetches();
      await notify(command);
      await eventually(() => expect(fetches(), command).toBeGreaterThan(before));
    }
  });

  proves('reload.bad-signature', 'unsigned or signed by another is refused and logged', async () => {
    await reload();
    const before = fetches();
    const strangers = signNotification('ApiUpdated', new Secret('another-secret'));
    for (const message of [strangers, { ...strangers, signature: '', algorithm: 0 }]) {
      const refusals = () => gateway.log().split('Payload signature is invalid!').length;
      const refusedBefore = refusals();
      await publish(message);
      await eventually(() => expect(refusals()).toBe(refusedBefore + 1));
    }
    await notify('GroupReload');
    await eventually(() => expect(fetches()).toBe(before + 1));
  });

  proves('reload.policy-change', 'changed policies apply to the very next request', async () => {
    const key = await scene.storeKey({ apply_policies: [POLICY] });
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    const old = dashboard.policies;
    dashboard.policies = [scene.policy({ id: POLICY, access_rights: accessTo(['open']) })];
    await notify('PolicyChanged');
    await untilStatus(gateway, '/token/', 403, { key });
    dashboard.policies = old;
    await notify('PolicyChanged');
    await untilStatus(gateway, '/token/', 200, { key });
  });

  proves('reload.no-policies-keeps-them', 'an empty list of policies unloads none', async () => {
    const old = dashboard.policies;
    const key = await scene.storeKey({ apply_policies: [POLICY] });
    dashboard.policies = [];
    await reload();
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    dashboard.policies = old;
  });

  proves('reload.empty-list-unloads', 'a valid empty list of APIs unloads every API', async () => {
    dashboard.apis = [];
    await reload();
    expect(await statusOf(gateway, '/open/')).toBe(404);
    expect((await gateway.hello()).status).toBe('pass');
    serve();
    await reload();
    expect(await statusOf(gateway, '/open/')).toBe(200);
  });

  proves('reload.keyspace-drops-cached-key', 'KeySpaceUpdateNotification forgets a session', async () => {
    const key = await scene.storeKey({ access_rights: accessTo(['token']) });
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    await scene.redis.client.del(`apikey-${keyHash(key)}`);
    await publish(signNotification('KeySpaceUpdateNotification', NODE_SECRET, keyHash(key, 'murmur64')));
    await untilStatus(gateway, '/token/', 403, { key, timeoutMs: 3000 });
  });

  proves('reload.dashboard-down-keeps', 'APIs stay when the Dashboard does not answer', async () => {
    await dashboard.stop();
    await reload();
    expect(await statusOf(gateway, '/open/')).toBe(200);
    await dashboard.resume();
  });
});
