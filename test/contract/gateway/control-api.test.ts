import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keyHash, makeToken } from '../../../lab/tyk/key-hash.ts';
import { isSigned, NOTIFICATION_CHANNEL, type Notification } from '../../../lab/tyk/notification.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { buildSession } from '../../../lab/tyk/session.ts';
import { eventually, NODE_SECRET, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { ORG, startScene, statusOf, untilStatus, type Scene } from './scene.ts';

const POLICY = '64b000000000000000000001';

interface Message {
  readonly status: string;
  readonly message: string;
}

interface KeyMade {
  readonly key: string;
  readonly key_hash: string;
  readonly status: string;
  readonly action: string;
}

describe(`control, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('control');
  const access = { access_rights: accessTo(['token']) };
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    scene.dashboard.apis = [
      scene.api({ apiId: 'token' }),
      scene.api({ apiId: 'openapi', auth: 'keyless', oas: true }),
    ];
    scene.dashboard.policies = [
      scene.policy({ id: POLICY, ...access, quota_max: 5, quota_renewal_rate: 60 }),
    ];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/token/', 401);
  });
  afterAll(() => scene.end());

  const ask = async <T>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: T }> => {
    const response = await gateway.control(method, path, { body });
    return { status: response.status, body: (await response.json()) as T };
  };

  proves('control.wrong-secret-403', 'a wrong or missing secret', async () => {
    for (const secret of ['not-the-secret', '']) {
      const response = await gateway.control('GET', '/tyk/apis', { secret });
      expect(response.status).toBe(403);
      expect(await response.json()).toEqual({
        status: 'error',
        message: 'Attempted administrative access with invalid or missing key!',
      });
    }
  });

  proves('control.unknown-404', 'no such endpoint', async () => {
    expect((await gateway.control('GET', '/tyk/nothing-like-it')).status).toBe(404);
  });

  proves('control.lists-apis', 'what is loaded, as definitions', async () => {
    const { status, body } = await ask<{ api_id: string; proxy: { listen_path: string } }[]>(
      'GET',
      '/tyk/apis',
    );
    expect(status).toBe(200);
    expect(body.map((api) => api.api_id).sort()).toEqual(['openapi', 'token']);
    expect(body.map((api) => api.proxy.listen_path).sort()).toEqual(['/openapi/', '/token/']);
    expect((await ask('GET', '/tyk/apis/')).body).toHaveLength(2);
  });

  proves('control.one-api', 'one definition, or 404', async () => {
    expect(await ask('GET', '/tyk/apis/token')).toMatchObject({
      status: 200,
      body: { api_id: 'token', org_id: ORG, active: true, proxy: { target_url: scene.upstream.url } },
    });
    expect(await ask<Message>('GET', '/tyk/apis/nope')).toEqual({
      status: 404,
      body: { status: 'error', message: 'API not found' },
    });
  });

  proves('control.lists-oas', 'only the OpenAPI documents', async () => {
    const { body } = await ask<Record<string, unknown>[]>('GET', '/tyk/apis/oas');
    expect(body).toHaveLength(1);
    expect(body[0]).toMatchObject({ openapi: '3.0.3', 'x-tyk-api-gateway': { info: { id: 'openapi' } } });
  });

  proves('control.lists-policies', 'all policies, one, or 404', async () => {
    const { body } = await ask<{ id: string }[]>('GET', '/tyk/policies');
    expect(body.map((policy) => policy.id)).toEqual([POLICY]);
    expect(await ask('GET', `/tyk/policies/${POLICY}`)).toMatchObject({
      status: 200,
      body: { id: POLICY, quota_max: 5, access_rights: { token: { api_id: 'token' } } },
    });
    expect((await ask<Message>('GET', '/tyk/policies/nope')).body.message).toBe('Policy not found');
  });

  proves('control.dashboard-owns-definitions', 'creating APIs and policies is refused', async () => {
    expect(await ask<Message>('POST', '/tyk/apis', {})).toEqual({
      status: 500,
      body: {
        status: 'error',
        message: 'Due to enabled use_db_app_configs, please use the Dashboard API',
      },
    });
    expect((await ask('POST', '/tyk/policies', {})).status).toBe(500);
  });

  proves('control.creates-key', 'a new key lies in Redis under its hash and passes', async () => {
    const { status, body } = await ask<KeyMade>(
      'POST',
      '/tyk/keys/create',
      buildSession({ orgId: ORG, ...access }),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', action: 'added', key_hash: keyHash(body.key) });
    const stored: unknown = JSON.parse((await scene.redis.client.get(`apikey-${body.key_hash}`)) ?? '{}');
    expect(stored).toMatchObject({ org_id: ORG, access_rights: access.access_rights });
    expect(await scene.redis.client.ttl(`apikey-${body.key_hash}`)).toBe(-1);
    expect(await statusOf(gateway, '/token/', body.key)).toBe(200);
  });

  proves('control.creates-key-by-policy', 'a key made from a policy takes its limits', async () => {
    const session = buildSession({ orgId: ORG, apply_policies: [POLICY] });
    const { body } = await ask<KeyMade>('POST', '/tyk/keys/create', session);
    const stored: unknown = JSON.parse((await scene.redis.client.get(`apikey-${body.key_hash}`)) ?? '{}');
    expect(stored).toMatchObject({ apply_policies: [POLICY], quota_max: 5, quota_renewal_rate: 60 });
    expect(await statusOf(gateway, '/token/', body.key)).toBe(200);
  });

  proves('control.creates-named-key', 'the id in the path becomes part of the key', async () => {
    const session = buildSession({ orgId: ORG, ...access });
    const { body } = await ask<KeyMade>('POST', '/tyk/keys/chosen-by-us', session);
    expect(body.key).toBe(makeToken(ORG, 'chosen-by-us'));
    expect(await statusOf(gateway, '/token/', body.key)).toBe(200);
  });

  proves('control.key-needs-known-policy', 'a key for a policy that is not there is refused', async () => {
    const session = buildSession({ orgId: ORG, apply_policies: ['64b0000000000000000000ff'] });
    expect(await ask<Message>('POST', '/tyk/keys/create', session)).toEqual({
      status: 500,
      body: {
        status: 'error',
        message: 'Failed to create key - policy not found: "64b0000000000000000000ff"',
      },
    });
  });

  proves('control.key-needs-access', 'a key for nothing is refused', async () => {
    const { status, body } = await ask<Message>('POST', '/tyk/keys/create', buildSession({ orgId: ORG }));
    expect(status).toBe(400);
    expect(body.message).toBe('Failed to create key, keys must have at least one Access Rights record set.');
  });

  proves('control.reads-key', 'by the key, by its hash, or 404', async () => {
    const key = await scene.storeKey({ ...access, alias: 'read me' });
    const expected = { status: 200, body: { org_id: ORG, alias: 'read me', ...access } };
    expect(await ask('GET', `/tyk/keys/${key}`)).toMatchObject(expected);
    expect(await ask('GET', `/tyk/keys/${keyHash(key)}?hashed=true`)).toMatchObject(expected);
    expect(await ask<Message>('GET', `/tyk/keys/${makeToken(ORG)}`)).toEqual({
      status: 404,
      body: { status: 'error', message: 'Key not found' },
    });
  });

  proves('control.reads-quota-left', 'counted from the counter, not from the session', async () => {
    const key = await scene.storeKey({ ...access, quota_max: 9, quota_renewal_rate: 60, quota_remaining: 9 });
    await scene.redis.client.set(`quota-${keyHash(key)}`, '4');
    expect((await ask('GET', `/tyk/keys/${keyHash(key)}?hashed=true`)).body).toMatchObject({
      quota_remaining: 5,
    });
  });

  proves('control.lists-no-hashed-keys', 'listing is off where keys are hashed', async () => {
    expect(await ask<Message>('GET', '/tyk/keys')).toEqual({
      status: 404,
      body: {
        status: 'error',
        message: 'Hashed key listing is disabled in config (enable_hashed_keys_listing)',
      },
    });
  });

  proves('control.deletes-key', 'it is refused at once, cache or not, and its quota is gone', async () => {
    const key = await scene.storeKey({ ...access, quota_max: 9, quota_renewal_rate: 60 });
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await ask<KeyMade>('DELETE', `/tyk/keys/${key}`)).toEqual({
      status: 200,
      body: { key, status: 'ok', action: 'deleted' },
    });
    expect(await scene.redis.client.exists(`apikey-${keyHash(key)}`, `quota-${keyHash(key)}`)).toBe(0);
    expect(await statusOf(gateway, '/token/', key)).toBe(403);
    expect((await ask<Message>('DELETE', `/tyk/keys/${key}`)).status).toBe(404);
  });

  proves('control.deletes-key-by-hash', 'the same by its hash', async () => {
    const key = await scene.storeKey(access);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    const { body } = await ask<KeyMade>('DELETE', `/tyk/keys/${keyHash(key)}?hashed=true`);
    expect(body).toMatchObject({ status: 'ok', action: 'deleted' });
    expect(await statusOf(gateway, '/token/', key)).toBe(403);
  });

  proves(
    'control.hashed-post-makes-another-key',
    'posting to a hash does not bring its key back',
    async () => {
      const key = makeToken(ORG);
      const session = buildSession({ orgId: ORG, ...access });
      const path = `/tyk/keys/${keyHash(key)}?hashed=true&suppress_reset=1`;
      expect((await ask<KeyMade>('POST', path, session)).status).toBe(200);
      expect(await scene.redis.client.exists(`apikey-${keyHash(key)}`)).toBe(0);
      expect(await statusOf(gateway, '/token/', key)).toBe(403);
    },
  );

  proves('control.reload', 'fetches everything anew; block=true waits for it', async () => {
    const before = scene.dashboard.count('/system/apis');
    expect(await ask('GET', '/tyk/reload?block=true')).toEqual({
      status: 200,
      body: { status: 'ok', message: '' },
    });
    expect(scene.dashboard.count('/system/apis')).toBeGreaterThan(before);
    const after = scene.dashboard.count('/system/apis');
    expect((await ask('GET', '/tyk/reload')).status).toBe(200);
    await eventually(() => expect(scene.dashboard.count('/system/apis')).toBeGreaterThan(after));
  });

  proves('control.reload-group', 'tells every Gateway by a signed notification', async () => {
    const subscriber: Redis = scene.redis.client.duplicate();
    await subscriber.connect();
    await subscriber.subscribe(NOTIFICATION_CHANNEL);
    const heard: Notification[] = [];
    subscriber.on('message', (_channel, text: string) => heard.push(JSON.parse(text) as Notification));
    expect((await ask('GET', '/tyk/reload/group')).body).toEqual({ status: 'ok', message: '' });
    await eventually(() => expect(heard.map((item) => item.command)).toContain('GroupReload'));
    expect(
      isSigned(
        heard.find((item) => item.command === 'GroupReload')!,
        NODE_SECRET,
      ),
    ).toBe(true);
    subscriber.disconnect();
  });
});
