import { decode } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import {
  ANALYTICS_LIST,
  decodeAnalyticsRecord,
  encodeAnalyticsRecord,
  type AnalyticsRecord,
} from '../../../lab/tyk/analytics-record.ts';
import { keyHash } from '../../../lab/tyk/key-hash.ts';
import { accessTo } from '../../../lab/tyk/policy.ts';
import { eventually, type GatewayOptions, type RunningGateway } from '../../harness/gateway.ts';
import { contractOf, GATEWAY_UNDER_TEST } from './contract.ts';
import { ORG, startScene, statusOf, untilStatus, type Scene } from './scene.ts';

const ALMOST_A_CENTURY_MS = 99 * 365 * 86_400_000;

describe(`analytics, on ${GATEWAY_UNDER_TEST}`, () => {
  const proves = contractOf('analytics');
  let scene: Scene;
  let gateway: RunningGateway;

  beforeAll(async () => {
    scene = await startScene();
    const untracked = scene.api({ apiId: 'untracked', auth: 'keyless' });
    scene.dashboard.apis = [
      scene.api({ apiId: 'open', auth: 'keyless', name: 'An open API', tags: ['of-the-api'] }),
      scene.api({ apiId: 'token' }),
      { ...untracked, api_definition: { ...untracked.api_definition, do_not_track: true } },
    ];
    gateway = await scene.gateway();
    await untilStatus(gateway, '/untracked/', 200);
  });
  afterAll(() => scene.end());

  const rawRecords = (list = ANALYTICS_LIST) => scene.redis.client.lrangeBuffer(list, 0, -1);
  const recordOf = (marker: string): Promise<AnalyticsRecord> =>
    eventually(async () => {
      const records = (await rawRecords()).map(decodeAnalyticsRecord);
      const found = records.find((record) => record.Path.includes(marker));
      if (!found) throw new Error(`no record of ${marker}`);
      return found;
    });

  proves('analytics.pushed-to-the-list', 'a request becomes a record in the list', async () => {
    await gateway.get('/open/first/request?with=query', { headers: { 'user-agent': 'a-test' } });
    expect(await recordOf('/first/request')).toMatchObject({
      Method: 'GET',
      Path: '/first/request',
      RawPath: '/first/request',
      ResponseCode: 200,
      APIID: 'open',
      APIName: 'An open API',
      APIVersion: 'Non Versioned',
      OrgID: ORG,
      UserAgent: 'a-test',
      IPAddress: '127.0.0.1',
      Host: new URL(scene.upstream.url).host,
      TrackPath: false,
    });
  });

  proves('analytics.times', 'when it was, and an expiry a century away', async () => {
    const before = Date.now() - 1000;
    await gateway.get('/open/times');
    const record = await recordOf('/times');
    const at = record.TimeStamp;
    expect(at.getTime()).toBeGreaterThanOrEqual(before);
    expect(at.getTime()).toBeLessThanOrEqual(Date.now() + 1000);
    expect([record.Year, record.Month, record.Day, record.Hour]).toEqual([
      at.getFullYear(),
      at.getMonth() + 1,
      at.getDate(),
      at.getHours(),
    ]);
    expect(record.ExpireAt.getTime() - at.getTime()).toBeGreaterThan(ALMOST_A_CENTURY_MS);
  });

  proves('analytics.wire-format', 'exactly the fields and types that our encoder writes', async () => {
    await gateway.get('/open/wire');
    await recordOf('/wire');
    const raw = (await rawRecords()).find((bytes) => decodeAnalyticsRecord(bytes).Path === '/wire')!;
    const ours = encodeAnalyticsRecord(decodeAnalyticsRecord(raw));
    expect(shape(decode(ours))).toEqual(shape(decode(raw)));
    // Coordinates are doubles even at zero: the Pump reads nothing else.
    const latitude = Buffer.concat([Buffer.from([0xa8]), Buffer.from('Latitude'), Buffer.from([0xcb])]);
    expect(raw.includes(latitude)).toBe(true);
    expect(ours.includes(latitude)).toBe(true);
  });

  proves('analytics.hashed-key', 'the key appears as its hash only, and among the tags', async () => {
    const key = await scene.storeKey({
      access_rights: accessTo(['token']),
      alias: 'the alias',
      tags: ['mine'],
    });
    await gateway.get('/token/hashed', { key });
    const record = await recordOf('/hashed');
    expect(record).toMatchObject({ APIKey: keyHash(key), Alias: 'the alias' });
    expect([...record.Tags].sort()).toEqual(['api-token', `key-${keyHash(key)}`, 'mine', `org-${ORG}`]);
    for (const bytes of await rawRecords()) expect(bytes.includes(key)).toBe(false);
  });

  proves('analytics.keyless-key', 'an open API records the hash of nothing', async () => {
    await gateway.get('/open/keyless');
    const record = await recordOf('/keyless');
    expect(record.APIKey).toBe('00000000');
    expect([...record.Tags].sort()).toEqual(['api-open', 'key-00000000', 'of-the-api', `org-${ORG}`]);
  });

  proves('analytics.refusals', 'what is refused is recorded too', async () => {
    await gateway.get('/token/refused-401');
    expect(await recordOf('/refused-401')).toMatchObject({
      ResponseCode: 401,
      APIID: 'token',
      RequestTime: 0,
    });
    const limited = await scene.storeKey({
      access_rights: accessTo(['token']),
      quota_max: 1,
      quota_renewal_rate: 60,
    });
    await gateway.get('/token/', { key: limited });
    await gateway.get('/token/refused-403', { key: limited });
    expect(await recordOf('/refused-403')).toMatchObject({ ResponseCode: 403, APIKey: keyHash(limited) });
  });

  proves('analytics.one-each', 'one record a request, none for unknown paths or untracked APIs', async () => {
    await scene.redis.client.del(ANALYTICS_LIST);
    await gateway.get('/nowhere/none');
    await gateway.get('/untracked/none');
    await gateway.get('/hello');
    for (let i = 0; i < 25; i += 1) await gateway.get(`/open/each/${i}`);
    await recordOf('/each/24');
    const records = (await rawRecords()).map(decodeAnalyticsRecord);
    expect(records.map((record) => record.Path).sort()).toEqual(
      Array.from({ length: 25 }, (_, i) => `/each/${i}`).sort(),
    );
  });

  proves('analytics.list-expires', 'nobody collects it for a minute: it is gone', async () => {
    await gateway.get('/open/expires');
    await eventually(async () => {
      const ttl = await scene.redis.client.ttl(ANALYTICS_LIST);
      expect(ttl).toBeGreaterThan(50);
      expect(ttl).toBeLessThanOrEqual(60);
    });
  });

  const withAnalytics = async (options: Partial<GatewayOptions>): Promise<RunningGateway> => {
    const other = await scene.gateway(options);
    await untilStatus(other, '/untracked/', 200);
    return other;
  };

  proves('analytics.several-lists', 'spread over ten lists where so configured', async () => {
    const analytics_config = { type: '', storage_expiration_time: 60, enable_multiple_analytics_keys: true };
    const spread = await withAnalytics({ overrides: { analytics_config } });
    await scene.redis.client.del(ANALYTICS_LIST);
    for (let i = 0; i < 10; i += 1) await spread.get(`/open/spread/${i}`);
    await eventually(async () => {
      const lists = Array.from({ length: 10 }, (_, i) => `${ANALYTICS_LIST}_${i}`);
      const lengths = await Promise.all(lists.map((list) => scene.redis.client.llen(list)));
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(10);
    });
    expect(await scene.redis.client.exists(ANALYTICS_LIST)).toBe(0);
  });

  proves('analytics.off', 'nothing is recorded where analytics is off', async () => {
    const silent = await withAnalytics({ analytics: false });
    await scene.redis.client.del(ANALYTICS_LIST);
    expect(await statusOf(silent, '/open/silent')).toBe(200);
    await gateway.get('/open/loud');
    await recordOf('/loud');
    const records = (await rawRecords()).map(decodeAnalyticsRecord);
    expect(records.map((record) => record.Path)).toEqual(['/loud']);
  });
});

/** Names and types, all the way down. */
function shape(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  if (Array.isArray(value)) return value.map(shape);
  return Object.entries(value).map(([name, inner]) => [name, shape(inner)]);
}
