import { afterAll, beforeAll, describe, expect } from 'vitest';
import { NOTIFICATION_CHANNEL, signNotification } from '../../../lab/tyk/notification.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { eventually, NODE_SECRET, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { startScene, statusOf, untilStatus, type Scene } from './scene.ts';

const RECONNECT_MS = 20_000;

describe(`outage, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('outage');
  const access = { access_rights: accessTo(['token']) };
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    scene.dashboard.apis = [scene.api({ apiId: 'open', auth: 'keyless' }), scene.api({ apiId: 'token' })];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/open/', 200);
  });
  afterAll(() => scene.end());

  proves('outage.on-a-replica', 'Redis that cannot be written to: keys pass, quotas do not', async () => {
    const plain = await scene.storeKey(access);
    const limited = await scene.storeKey({ ...access, quota_max: 100, quota_renewal_rate: 60 });
    await scene.redis.client.replicaof('127.0.0.1', 1);
    expect(await statusOf(gateway, '/token/', limited)).toBe(403);
    expect(await statusOf(gateway, '/token/', plain)).toBe(200);
    await eventually(async () => {
      const hello = await gateway.hello();
      expect(hello.status).toBe('warn');
      expect(hello.details?.['redis']?.output).toMatch(/READONLY/);
    });
    await scene.redis.client.replicaof('NO', 'ONE');
    await eventually(async () => expect(await statusOf(gateway, '/token/', limited)).toBe(200));
  });

  proves('outage.without-redis', 'open APIs and cached keys pass; others and quotas do not', async () => {
    const cached = await scene.storeKey(access);
    const fresh = await scene.storeKey(access);
    const limited = await scene.storeKey({ ...access, quota_max: 100, quota_renewal_rate: 60 });
    expect(await statusOf(gateway, '/token/', cached)).toBe(200);
    expect(await statusOf(gateway, '/token/', limited)).toBe(200);
    await scene.redis.stop();
    expect(await statusOf(gateway, '/open/')).toBe(200);
    expect(await statusOf(gateway, '/token/', cached)).toBe(200);
    expect(await statusOf(gateway, '/token/', limited)).toBe(403);
    expect(await statusOf(gateway, '/token/', fresh)).toBe(403);
  });

  proves(
    'outage.redis-restored',
    'once Redis is back with its data, keys pass without a restart',
    async () => {
      await scene.redis.stop();
      await scene.redis.resume();
      const key = await scene.storeKey(access);
      await untilStatus(gateway, '/token/', 200, { key, timeoutMs: RECONNECT_MS });
      await eventually(async () => expect((await gateway.hello()).status).toBe('pass'), RECONNECT_MS);
    },
  );

  proves('outage.notifications-return', 'and notifications are heard again, after a while', async () => {
    scene.dashboard.apis = [...scene.dashboard.apis, scene.api({ apiId: 'late', auth: 'keyless' })];
    await eventually(async () => {
      const message = JSON.stringify(signNotification('ApiUpdated', NODE_SECRET));
      await scene.redis.client.publish(NOTIFICATION_CHANNEL, message);
      expect(await statusOf(gateway, '/late/')).toBe(200);
    }, RECONNECT_MS);
  });

  proves(
    'outage.starts-without-redis',
    'starts and serves open APIs; keys pass once Redis is there',
    async () => {
      await scene.redis.stop();
      const early = await scene.gateway();
      await untilStatus(early, '/open/', 200, { timeoutMs: RECONNECT_MS });
      await scene.redis.resume();
      const key = await scene.storeKey(access);
      await untilStatus(early, '/token/', 200, { key, timeoutMs: RECONNECT_MS });
    },
  );
});
