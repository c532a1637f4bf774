import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keyHash, makeToken, type KeyHashFunction } from '../../../lab/tyk/key-hash.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { buildSession } from '../../../lab/tyk/session.ts';
import type { RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { errorOf, ORG, startScene, statusOf, untilStatus, type Scene } from './scene.ts';

const DISALLOWED = 'Access to this API has been disallowed';
const SESSION_CACHE_MS = 10_000;

describe(`auth, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('auth');
  const access = { access_rights: accessTo(['token']) };
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    const custom = scene.api({ apiId: 'custom' });
    const header = { auth_header_name: 'X-Api-Key' };
    scene.dashboard.apis = [
      scene.api({ apiId: 'token' }),
      scene.api({ apiId: 'another' }),
      {
        ...custom,
        api_definition: { ...custom.api_definition, auth: header, auth_configs: { authToken: header } },
      },
    ];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/token/', 401);
  });
  afterAll(() => scene.end());

  proves('auth.no-key-401', 'a request without a key', async () => {
    const response = await gateway.get('/token/');
    expect(response.status).toBe(401);
    expect(await errorOf(response)).toBe('Authorization field missing');
    expect(response.headers.get('content-type')).toBe('application/json');
  });

  proves('auth.unknown-key-403', 'a key without a session, a short one and one of another form', async () => {
    for (const key of [makeToken(ORG), 'some-other-key', 'abc']) {
      const response = await gateway.get('/token/', { key });
      expect(response.status).toBe(403);
      expect(await errorOf(response)).toBe(DISALLOWED);
    }
  });

  proves('auth.valid-key-200', 'a key whose session grants the API', async () => {
    expect(await statusOf(gateway, '/token/', await scene.storeKey(access))).toBe(200);
  });

  proves('auth.bearer-200', 'the same key after the word Bearer', async () => {
    expect(await statusOf(gateway, '/token/', `Bearer ${await scene.storeKey(access)}`)).toBe(200);
  });

  proves('auth.custom-header', 'the header that the API names, and no other', async () => {
    const key = await scene.storeKey({ access_rights: accessTo(['custom']) });
    expect((await gateway.get('/custom/', { headers: { 'x-api-key': key } })).status).toBe(200);
    expect(await statusOf(gateway, '/custom/', key)).toBe(401);
  });

  proves('auth.hash-from-the-key', 'the key itself names the function that hashes it', async () => {
    const functions: (KeyHashFunction | '')[] = ['murmur32', 'murmur64', 'murmur128', 'sha256', ''];
    for (const hashFunction of functions) {
      const key = await scene.storeKey(access, makeToken(ORG, undefined, hashFunction));
      expect(await statusOf(gateway, '/token/', key), hashFunction).toBe(200);
    }
  });

  proves('auth.custom-key-id', 'a bare id stands for the key made of it', async () => {
    await scene.storeKey(access, makeToken(ORG, 'known-by-its-id'));
    expect(await statusOf(gateway, '/token/', 'known-by-its-id')).toBe(200);
  });

  proves('auth.imported-key', 'a bare text whose own murmur32 hash has a session', async () => {
    await scene.storeKey(access, 'imported-from-elsewhere');
    expect(await statusOf(gateway, '/token/', 'imported-from-elsewhere')).toBe(200);
  });

  proves('auth.inactive-403', 'a key that was disabled', async () => {
    const response = await gateway.get('/token/', {
      key: await scene.storeKey({ ...access, is_inactive: true }),
    });
    expect(response.status).toBe(403);
    expect(await errorOf(response)).toBe('Key is inactive, please renew');
  });

  proves('auth.expired-401', 'a key after its time', async () => {
    const response = await gateway.get('/token/', {
      key: await scene.storeKey({ ...access, expires: 1_700_000_000 }),
    });
    expect(response.status).toBe(401);
    expect(await errorOf(response)).toBe('Key has expired, please renew');
  });

  proves('auth.other-api-403', 'a key for another API', async () => {
    const response = await gateway.get('/another/', { key: await scene.storeKey(access) });
    expect(response.status).toBe(403);
    expect(await errorOf(response)).toBe(DISALLOWED);
  });

  proves('auth.no-access-rights-200', 'a session that lists no API opens every API', async () => {
    expect(await statusOf(gateway, '/token/', await scene.storeKey({}))).toBe(200);
  });

  proves('auth.damaged-session-403', 'a session that is no JSON, or whose date is empty', async () => {
    const truncated = makeToken(ORG);
    await scene.redis.client.set(`apikey-${keyHash(truncated)}`, '{"org_id":');
    expect(await statusOf(gateway, '/token/', truncated)).toBe(403);
    const dateless = await scene.storeKey({ ...access, date_created: '' });
    expect(await statusOf(gateway, '/token/', dateless)).toBe(403);
  });

  proves('auth.restored-key-200', 'a key that was unknown a moment ago passes once it is there', async () => {
    const key = makeToken(ORG);
    expect(await statusOf(gateway, '/token/', key)).toBe(403);
    await scene.storeKey(access, key);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
  });

  proves.concurrent('auth.deleted-key', 'passes from the cache, and is refused after it', async () => {
    const key = await scene.storeKey(access);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    await scene.redis.client.del(`apikey-${keyHash(key)}`);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    await untilStatus(gateway, '/token/', 403, { key, timeoutMs: 2 * SESSION_CACHE_MS });
  });

  proves.concurrent('auth.unhashed', 'with hash_keys off the session lies under the key itself', async () => {
    const plain = await scene.gateway({ hashKeys: false });
    const key = makeToken(ORG);
    await scene.redis.client.set(`apikey-${key}`, JSON.stringify(buildSession({ orgId: ORG, ...access })));
    await untilStatus(plain, '/token/', 200, { key });
    expect(await statusOf(plain, '/token/', await scene.storeKey(access))).toBe(403);
    expect(await statusOf(gateway, '/token/', key)).toBe(403);
  });

  proves.concurrent('auth.legacy-id', 'without hash_key_function a bare id stands for org + id', async () => {
    const legacy = await scene.gateway({ hashKeyFunction: '' });
    await scene.storeKey(access, makeToken(ORG, 'known-by-its-legacy-id', ''));
    await untilStatus(legacy, '/token/', 200, { key: 'known-by-its-legacy-id' });
  });
});
