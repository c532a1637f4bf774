import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keyHash } from '../../../lab/tyk/key-hash.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import type { RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { errorOf, startScene, statusOf, untilStatus, type Scene } from './scene.ts';

const ACCESS_ONLY = '64b000000000000000000001';
const QUOTA_OF_TWO = '64b000000000000000000002';
const RATE_OF_TWO = '64b000000000000000000003';
const OF_ANOTHER_ORG = '64b000000000000000000004';
const INACTIVE = '64b000000000000000000005';
const QUOTA_ON_SECOND = '64b000000000000000000007';
const EXPLICIT = '64b000000000000000000006';
const UNKNOWN = '64b0000000000000000000ff';

describe(`policies, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('policies');
  const access_rights = accessTo(['token']);
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    scene.dashboard.apis = [scene.api({ apiId: 'token' }), scene.api({ apiId: 'second' })];
    scene.dashboard.policies = [
      scene.policy({ id: ACCESS_ONLY, access_rights }),
      scene.policy({ id: QUOTA_OF_TWO, access_rights, quota_max: 2, quota_renewal_rate: 3600 }),
      scene.policy({ id: RATE_OF_TWO, access_rights: accessTo(['token', 'second']), rate: 2, per: 60 }),
      { ...scene.policy({ id: OF_ANOTHER_ORG, access_rights }), org_id: '5e9d9544a1dcd60001d0ed99' },
      scene.policy({ id: INACTIVE, access_rights, is_inactive: true }),
      scene.policy({
        id: QUOTA_ON_SECOND,
        access_rights: accessTo(['second']),
        quota_max: 1,
        quota_renewal_rate: 3600,
      }),
      { ...scene.policy({ id: EXPLICIT, access_rights }), id: 'gold' },
    ];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/token/', 401);
  });
  afterAll(() => scene.end());

  const keyWith = (...policies: string[]) => scene.storeKey({ apply_policies: policies });

  proves('policies.grant-access', 'a key may do what its policy grants, and no more', async () => {
    const key = await keyWith(ACCESS_ONLY);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/second/', key)).toBe(403);
  });

  proves('policies.replace-access', 'what the session itself lists gives way to the policy', async () => {
    const key = await scene.storeKey({ apply_policies: [ACCESS_ONLY], access_rights: accessTo(['second']) });
    expect(await statusOf(gateway, '/second/', key)).toBe(403);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
  });

  proves('policies.quota', 'the quota comes from the policy, not from the session', async () => {
    const key = await scene.storeKey({ apply_policies: [QUOTA_OF_TWO], quota_max: 100 });
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/token/', key)).toBe(403);
  });

  proves('policies.rate', 'so does the rate', async () => {
    const key = await keyWith(RATE_OF_TWO);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/second/', key)).toBe(429);
  });

  proves('policies.two-add-up', 'access of two policies adds up', async () => {
    const key = await keyWith(ACCESS_ONLY, RATE_OF_TWO);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/second/', key)).toBe(200);
  });

  proves('policies.counters-apart', 'two policies for two APIs keep two counters', async () => {
    const key = await keyWith(QUOTA_OF_TWO, QUOTA_ON_SECOND);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    expect(await statusOf(gateway, '/second/', key)).toBe(200);
    expect(await statusOf(gateway, '/second/', key)).toBe(403);
    expect(await statusOf(gateway, '/token/', key)).toBe(200);
    const counters = await scene.redis.client.keys(`quota-*${keyHash(key)}`);
    expect(counters.sort()).toEqual([
      `quota-${QUOTA_OF_TWO}-${keyHash(key)}`,
      `quota-${QUOTA_ON_SECOND}-${keyHash(key)}`,
    ]);
  });

  proves('policies.missing-403', 'a key whose only policy is gone', async () => {
    const key = await scene.storeKey({ apply_policies: [UNKNOWN], access_rights });
    const response = await gateway.get('/token/', { key });
    expect(response.status).toBe(403);
    expect(await errorOf(response)).toBe('Access to this API has been disallowed');
  });

  proves('policies.one-of-two-missing', 'the policy that is left still grants', async () => {
    expect(await statusOf(gateway, '/token/', await keyWith(UNKNOWN, ACCESS_ONLY))).toBe(200);
  });

  proves('policies.other-org-403', 'a policy of another organisation', async () => {
    expect(await statusOf(gateway, '/token/', await keyWith(OF_ANOTHER_ORG))).toBe(403);
  });

  proves('policies.inactive-403', 'a policy that was disabled disables its keys', async () => {
    const response = await gateway.get('/token/', { key: await keyWith(INACTIVE) });
    expect(response.status).toBe(403);
    expect(await errorOf(response)).toBe('Key is inactive, please renew');
  });

  proves('policies.known-by-object-id', 'a Gateway knows a policy by _id and not by id', async () => {
    expect(await statusOf(gateway, '/token/', await keyWith(EXPLICIT))).toBe(200);
    expect(await statusOf(gateway, '/token/', await keyWith('gold'))).toBe(403);
  });

  proves('policies.listed-under-object-id', 'and lists it under that', async () => {
    const response = await gateway.control('GET', `/tyk/policies/${EXPLICIT}`);
    expect(await response.json()).toMatchObject({ _id: EXPLICIT, id: EXPLICIT });
    expect((await gateway.control('GET', '/tyk/policies/gold')).status).toBe(404);
  });

  proves.concurrent('policies.explicit-id', 'allow_explicit_policy_id turns that round', async () => {
    const policies = {
      policy_source: 'service',
      policy_connection_string: scene.dashboard.url,
      policy_path: '',
      allow_explicit_policy_id: true,
    } as const;
    const explicit = await scene.gateway({ overrides: { policies } });
    await untilStatus(explicit, '/token/', 200, { key: await keyWith('gold') });
    expect(await statusOf(explicit, '/token/', await keyWith(EXPLICIT))).toBe(403);
  });

  proves.concurrent('policies.bad-object-id', 'an _id of another form fails the whole start', async () => {
    const dashboard = await scene.anotherDashboard();
    dashboard.apis = [scene.api({ apiId: 'open', auth: 'keyless' })];
    dashboard.policies = [{ ...scene.policy({ id: ACCESS_ONLY, access_rights }), _id: 'gold' }];
    const empty = await scene.gateway({ source: { dashboardUrl: dashboard.url } });
    dashboard.policies = [];
    expect(await statusOf(empty, '/open/')).toBe(404);
    await empty.control('GET', '/tyk/reload?block=true');
    expect(await statusOf(empty, '/open/')).toBe(200);
  });
});
