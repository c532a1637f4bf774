import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keyHash } from '../../../lab/tyk/key-hash.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import type { Session } from '../../../lab/tyk/session.ts';
import { eventually, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { errorOf, startScene, statusOf, untilStatus, type Scene } from './scene.ts';

describe(`limits, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('limits');
  const access = { access_rights: accessTo(['token']) };
  const quotaOfThree = { ...access, quota_max: 3, quota_renewal_rate: 3600 };
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    scene.dashboard.apis = [scene.api({ apiId: 'token' }), scene.api({ apiId: 'second' })];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/token/', 401);
  });
  afterAll(() => scene.end());

  const statuses = async (key: string, times: number): Promise<number[]> => {
    const seen: number[] = [];
    for (let i = 0; i < times; i += 1) seen.push(await statusOf(gateway, '/token/', key));
    return seen;
  };

  proves('limits.rate-429', 'more requests than the rate allows', async () => {
    const key = await scene.storeKey({ ...access, rate: 2, per: 60 });
    expect(await statuses(key, 3)).toEqual([200, 200, 429]);
    expect(await errorOf(await gateway.get('/token/', { key }))).toBe('Rate limit exceeded');
  });

  proves('limits.rate-recovers', 'the rate is free again after its time', async () => {
    const key = await scene.storeKey({ ...access, rate: 1, per: 1 });
    expect(await statuses(key, 2)).toEqual([200, 429]);
    await untilStatus(gateway, '/token/', 200, { key });
  });

  proves('limits.rate-leaves-no-counter', 'one Gateway counts rates in memory, not in Redis', async () => {
    const key = await scene.storeKey({ ...access, rate: 1, per: 60 });
    expect(await statuses(key, 2)).toEqual([200, 429]);
    expect(await scene.redis.client.keys(`rate-limit-*${keyHash(key)}*`)).toEqual([]);
  });

  proves('limits.unlimited', 'zero and minus one are no limit', async () => {
    for (const unlimited of [0, -1]) {
      const session = { ...access, rate: unlimited, per: unlimited, quota_max: unlimited };
      const key = await scene.storeKey(session);
      expect(await statuses(key, 4)).toEqual([200, 200, 200, 200]);
      expect(await scene.redis.client.exists(`quota-${keyHash(key)}`)).toBe(0);
    }
  });

  proves('limits.quota-403', 'a quota that is used up refuses with 403', async () => {
    const key = await scene.storeKey(quotaOfThree);
    expect(await statuses(key, 4)).toEqual([200, 200, 200, 403]);
    expect(await errorOf(await gateway.get('/token/', { key }))).toBe('Quota exceeded');
  });

  proves('limits.quota-counter', 'the count lies in quota-<hash> and ends with the period', async () => {
    const key = await scene.storeKey(quotaOfThree);
    await statuses(key, 2);
    const counter = `quota-${keyHash(key)}`;
    expect(await scene.redis.client.get(counter)).toBe('2');
    const ttl = await scene.redis.client.ttl(counter);
    expect(ttl).toBeGreaterThan(3500);
    expect(ttl).toBeLessThanOrEqual(3600);
  });

  proves('limits.quota-headers', 'the reply says what is left', async () => {
    const key = await scene.storeKey(quotaOfThree);
    const first = await gateway.get('/token/', { key });
    expect(first.headers.get('x-ratelimit-limit')).toBe('3');
    expect(first.headers.get('x-ratelimit-remaining')).toBe('2');
    const second = await gateway.get('/token/', { key });
    expect(second.headers.get('x-ratelimit-remaining')).toBe('1');
    expect(Number(second.headers.get('x-ratelimit-reset'))).toBeGreaterThan(1_700_000_000);
  });

  proves('limits.quota-is-global', 'the quota of a session counts its APIs together', async () => {
    const key = await scene.storeKey({
      access_rights: accessTo(['token', 'second']),
      quota_max: 2,
      quota_renewal_rate: 3600,
    });
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/second/', key)).toBe(200);
    expect(await statusOf(gateway, '/token/', key)).toBe(403);
  });

  proves('limits.quota-restored', 'a counter that was restored counts on from there', async () => {
    const key = await scene.storeKey(quotaOfThree);
    await scene.redis.client.set(`quota-${keyHash(key)}`, '2', 'EX', 3600);
    expect(await statuses(key, 2)).toEqual([200, 403]);
  });

  proves('limits.quota-dropped', 'a counter that was dropped starts afresh', async () => {
    const key = await scene.storeKey(quotaOfThree);
    expect(await statuses(key, 4)).toEqual([200, 200, 200, 403]);
    await scene.redis.client.del(`quota-${keyHash(key)}`);
    expect(await statuses(key, 1)).toEqual([200]);
  });

  proves('limits.quota-written-to-session', 'the session is written back with what is left', async () => {
    const key = await scene.storeKey(quotaOfThree);
    await statuses(key, 2);
    const stored = await eventually(async () => {
      const session = JSON.parse((await scene.redis.client.get(`apikey-${keyHash(key)}`)) ?? '{}') as Session;
      expect(session.quota_remaining).toBe(1);
      return session;
    });
    expect(stored).toMatchObject({ quota_max: 3, access_rights: access.access_rights });
    expect(stored.quota_renews).toBeGreaterThan(1_700_000_000);
  });

  proves('limits.session-loses-its-ttl', 'writing it back drops the expiry that the key had', async () => {
    const key = await scene.storeKey(quotaOfThree);
    const name = `apikey-${keyHash(key)}`;
    await scene.redis.client.expire(name, 3600);
    await statuses(key, 1);
    await eventually(async () => expect(await scene.redis.client.ttl(name)).toBe(-1));
  });
});
