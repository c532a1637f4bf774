import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { withClient, type Connection } from '../../../adapters/postgres/client.ts';
import { LISTS } from '../../../lab/pump/source.ts';
import {
  ANALYTICS_LIST,
  EMPTY_ANALYTICS,
  encodeAnalyticsRecord,
  type AnalyticsRecord,
} from '../../../lab/tyk/analytics-record.ts';
import { eventually } from '../../harness/gateway.ts';
import { freePort } from '../../../adapters/host/free-port.ts';
import { startTestCluster, type TestCluster } from '../../harness/postgres.ts';
import { startScratchRedis, type ScratchRedis } from '../gateway/scratch-redis.ts';
import { startProgram, type Program } from './program.ts';

const TYK_PASSWORD = "sesame's \\ door";
const NOON = new Date('2026-03-01T12:10:00.250Z');

// Other work on the machine may slow stores and programs down.
vi.setConfig({ testTimeout: 30_000 });

describe('the Pump', () => {
  let cluster: TestCluster;
  let redis: ScratchRedis;
  let pump: Program;
  let folder: string;
  let health: string;
  let database: Connection;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tyk-dr-pump-'));
    [cluster, redis] = await Promise.all([startTestCluster(), startScratchRedis()]);
    await makeDatabase(cluster.admin);
    database = { ...cluster.admin, database: 'tyk_analytics' };
    const port = await freePort();
    health = `http://127.0.0.1:${port}/health`;
    const conf = path.join(folder, 'pump.conf');
    await writeFile(conf, JSON.stringify(pumpConf(port, redis, cluster.config.port)), { mode: 0o600 });
    pump = startProgram('lab/pump/main.ts', ['--conf', conf]);
    await eventually(() => countRows());
  }, 60_000);
  afterAll(async () => {
    await pump?.kill();
    await Promise.all([cluster?.close(), redis?.end()]);
    await rm(folder, { recursive: true, force: true });
  });

  const ask = <T extends object>(sql: string, values: unknown[] = []): Promise<T[]> =>
    withClient(database, async (client) => (await client.query<T>(sql, values)).rows);
  const countRows = async (pattern = '%'): Promise<number> => {
    const sql = 'SELECT count(*)::int AS n FROM tyk_analytics WHERE path LIKE $1';
    return (await ask<{ n: number }>(sql, [pattern]))[0]!.n;
  };
  const untilRows = (pattern: string, count: number): Promise<void> =>
    eventually(async () => expect(await countRows(pattern)).toBe(count));
  const untilDrained = (): Promise<void> =>
    eventually(async () => {
      const lengths = await Promise.all(LISTS.map((list) => redis.client.llen(list)));
      expect(Math.max(...lengths)).toBe(0);
    });
  const push = (list: string, ...records: AnalyticsRecord[]): Promise<number> =>
    redis.client.rpush(list, ...records.map(encodeAnalyticsRecord));

  test('makes the missing tables with their indexes', async () => {
    const indexes = await ask<{ indexname: string }>(
      'SELECT indexname FROM pg_indexes WHERE tablename = $1',
      ['tyk_analytics'],
    );
    const names = indexes.map(({ indexname }) => indexname);
    expect(names).toEqual(expect.arrayContaining(['tyk_analytics_apiid', 'tyk_analytics_orgid']));
  });

  test('keeps every field of a record', async () => {
    await push(ANALYTICS_LIST, record('/fields/1', { Tags: ['a', 'b'], UserAgent: 'nul\0 "quote" \\ ü' }));
    await untilRows('/fields/%', 1);
    const [row] = await ask(`SELECT * FROM tyk_analytics WHERE path = '/fields/1'`);
    expect(row).toMatchObject({
      method: 'GET',
      host: 'api.example.org',
      rawpath: '/fields/1',
      contentlength: '12',
      useragent: 'nul "quote" \\ ü',
      day: 1,
      month: 3,
      year: 2026,
      hour: 12,
      responsecode: 200,
      apikey: 'hash-of-a-key',
      timestamp: NOON,
      apiid: 'api-1',
      orgid: 'org-1',
      requesttime: '7',
      ipaddress: '127.0.0.1',
      tags: 'a,b',
      trackpath: false,
      expireat: new Date('2125-01-01T00:00:00Z'),
    });
  });

  test('moves each record once, from every list, over several chunks, past an entry that is none', async () => {
    await redis.client.rpush(LISTS[3]!, 'no record');
    for (const [index, list] of LISTS.entries()) {
      const count = index === 0 ? 2500 : 20;
      await push(list, ...Array.from({ length: count }, (_, n) => record(`/once/${index}/${n}`)));
    }
    await untilDrained();
    await untilRows('/once/%', 2700);
    const [row] = await ask(
      `SELECT count(DISTINCT path)::int AS different FROM tyk_analytics WHERE path LIKE '/once/%'`,
    );
    expect(row).toEqual({ different: 2700 });
    expect(pump.log()).toContain(`an entry of ${LISTS[3]} is no record`);
  });

  test('adds to the aggregate of the hour, apart for each organisation and API', async () => {
    const hour = (minute: number): Date => new Date(Date.UTC(2026, 4, 5, 6, minute));
    const of = (api: string, code: number, minute: number): AnalyticsRecord =>
      record('/aggregate/', { APIID: api, OrgID: 'org-2', ResponseCode: code, TimeStamp: hour(minute) });
    const totals = (): Promise<object[]> =>
      ask(
        `SELECT timestamp, dimension, dimension_value AS api, hits::int, success::int, error::int, last_time
           FROM tyk_aggregated WHERE org_id = 'org-2' ORDER BY timestamp, api`,
      );
    await push(ANALYTICS_LIST, of('a', 200, 1), of('a', 404, 9), of('b', 200, 2), of('a', 200, 60));
    const later = { timestamp: hour(60), dimension: 'apiid', api: 'a', hits: 1, success: 1, error: 0 };
    const first = { timestamp: hour(0), dimension: 'apiid', api: 'a', last_time: hour(9) };
    const other = { ...later, api: 'b', timestamp: hour(0), last_time: hour(2) };
    await eventually(async () =>
      expect(await totals()).toEqual([
        { ...first, hits: 2, success: 1, error: 1 },
        other,
        { ...later, last_time: hour(60) },
      ]),
    );
    await push(ANALYTICS_LIST, of('a', 500, 3), of('a', 399, 4));
    await eventually(async () =>
      expect((await totals())[0]).toEqual({ ...first, hits: 4, success: 2, error: 2 }),
    );
  });

  test('survives a Redis that goes and comes back', async () => {
    await redis.stop();
    await eventually(() => expect(pump.log()).toContain('redis is not reachable'));
    expect((await fetch(health)).status).toBe(200);
    await redis.resume();
    await push(LISTS[7]!, record('/redis-is-back/'));
    await untilRows('/redis-is-back/', 1);
  });

  test('survives a database that goes and comes back; what it popped meanwhile is lost', async () => {
    await cluster.stop();
    await push(ANALYTICS_LIST, record('/database-is-away/'));
    await untilDrained();
    await eventually(() => expect(pump.log()).toContain('1 records are not in tyk_analytics'));
    expect((await fetch(health)).status).toBe(200);
    await cluster.start();
    await push(ANALYTICS_LIST, record('/database-is-back/'));
    await untilRows('/database-is-back/', 1);
    expect(await countRows('/database-is-away/')).toBe(0);
  });

  test('leaves the indexes of an existing table as they are', async () => {
    await ask('DROP INDEX tyk_analytics_apiid');
    const connects = (): number => pump.log().split('database of tyk_analytics is connected').length;
    const before = connects();
    await ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tyk'`);
    await eventually(async () => {
      await push(ANALYTICS_LIST, record('/no-index/'));
      expect(connects()).toBeGreaterThan(before);
      expect(await countRows('/no-index/')).toBeGreaterThan(0);
    });
    const found = await ask(`SELECT 1 FROM pg_indexes WHERE indexname = 'tyk_analytics_apiid'`);
    expect(found).toEqual([]);
  });

  test('answers its health check, stops on SIGTERM and has written no secret', async () => {
    const answer = await fetch(health);
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }]);
    expect(await pump.stop()).toBe(0);
    expect(pump.log()).not.toContain('sesame');
    expect(pump.log()).not.toContain(redis.password.reveal());
  });
});

async function makeDatabase(admin: Connection): Promise<void> {
  await withClient(admin, async (client) => {
    await client.query(`CREATE ROLE tyk LOGIN PASSWORD ${client.escapeLiteral(TYK_PASSWORD)}`);
    await client.query('CREATE DATABASE tyk_analytics OWNER tyk');
  });
}

function pumpConf(healthPort: number, redis: ScratchRedis, postgresPort: number): object {
  const password = TYK_PASSWORD.replace(/[\\']/g, '\\$&');
  const meta = {
    type: 'postgres',
    connection_string: `host=127.0.0.1 port=${postgresPort} user=tyk password='${password}' dbname=tyk_analytics`,
  };
  return {
    analytics_storage_type: 'redis',
    analytics_storage_config: {
      type: 'redis',
      host: redis.host,
      port: redis.port,
      password: redis.password.reveal(),
      database: 0,
    },
    purge_delay: 0.1,
    health_check_endpoint_name: 'health',
    health_check_endpoint_port: healthPort,
    pumps: { sql: { type: 'sql', meta }, sql_aggregate: { type: 'sql_aggregate', meta } },
  };
}

function record(where: string, changes: Partial<AnalyticsRecord> = {}): AnalyticsRecord {
  return {
    ...EMPTY_ANALYTICS,
    Method: 'GET',
    Host: 'api.example.org',
    Path: where,
    RawPath: where,
    ContentLength: 12,
    UserAgent: 'tests',
    Day: 1,
    Month: 3,
    Year: 2026,
    Hour: 12,
    ResponseCode: 200,
    APIKey: 'hash-of-a-key',
    TimeStamp: NOON,
    APIVersion: 'Default',
    APIName: 'An API',
    APIID: 'api-1',
    OrgID: 'org-1',
    RequestTime: 7,
    IPAddress: '127.0.0.1',
    Latency: { Total: 7, Upstream: 6 },
    Tags: [],
    Alias: '',
    ExpireAt: new Date('2125-01-01T00:00:00Z'),
    ...changes,
  };
}
