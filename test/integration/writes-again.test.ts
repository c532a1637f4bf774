import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Deps } from '../../activities/guard.ts';
import { stopTakingWrites } from '../../activities/standby/held-writes.ts';
import { giveWritesBack } from '../../activities/standby/writes-again.ts';
import type { Client } from '../../adapters/redis/client.ts';
import type { Site } from '../../domain/config.ts';
import { REDIS_PASSWORD, startTestRedis, type TestRedis } from '../harness/redis.ts';

/** What a graceful failover that was lost had taken from a site is given back to it, and nothing else is done there. */

let dir: string;
let redis: TestRedis;
let site: Site;
const deps = { worker: 'primary', secret: () => Promise.resolve(REDIS_PASSWORD) } as unknown as Deps;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-again-test-'));
  redis = await startTestRedis();
  const touched = join(dir, 'dashboard');
  site = {
    ...{ worker: 'primary', gateways: [], network: [], stateDir: dir },
    redis: { host: '127.0.0.1', port: redis.endpoint.port, password: 'env:R', method: 'files', database: 0 },
    dashboard: {
      url: 'http://127.0.0.1:1',
      service: {
        start: ['touch', touched],
        stop: ['rm', '-f', touched],
        status: ['sh', '-c', `test -e ${touched} || exit 3`],
      },
    },
  } as unknown as Site;
});
afterAll(async () => {
  await redis?.close();
  await rm(dir, { recursive: true, force: true });
});

const settingsOf = async (client: ReturnType<TestRedis['client']>) => [
  await client.config('GET', 'save'),
  await client.config('GET', 'min-replicas-to-write'),
];

/** Dies once the setting is made. */
function dyingAfter(client: Client, setting: string): Client {
  const config = async (...args: ['GET', string]): Promise<unknown> => {
    const answer = await client.config(...args);
    if ((args as string[])[0] === 'SET' && args[1] === setting) throw new Error('killed');
    return answer;
  };
  return Object.assign(Object.create(client) as Client, { config });
}

test('Redis gets its settings as they were, wherever the worker died while it stopped the writes', async () => {
  const client = redis.client();
  await client.config('SET', 'save', '900 1');
  await client.config('SET', 'appendonly', 'yes');
  await expect
    .poll(() => client.info('persistence'), { timeout: 10_000 })
    .toMatch(/aof_enabled:1\r\naof_rewrite_in_progress:0/);
  const before = await settingsOf(client);
  for (const setting of ['save', 'min-replicas-to-write'])
    await expect(stopTakingWrites(dyingAfter(client, setting), dir)).rejects.toThrow('killed');
  await stopTakingWrites(client, dir);
  expect(await settingsOf(client)).toEqual([
    ['save', ''],
    ['min-replicas-to-write', '1000000'],
  ]);
  expect(await giveWritesBack(deps, 'primary', site)).toEqual([
    'Redis is written to again',
    'the Dashboard runs again',
  ]);
  expect(await settingsOf(client)).toEqual(before);
  expect(await client.set('written', 'again')).toBe('OK');
});

test('where nothing was held, and where the stores do not run, nothing is said and nothing started', async () => {
  await rm(join(dir, 'dashboard'));
  expect(await giveWritesBack(deps, 'primary', site)).toEqual([]);
  await stopTakingWrites(redis.client(), dir);
  await redis.stop();
  expect(await giveWritesBack(deps, 'primary', site)).toEqual([]);
  expect(existsSync(join(dir, 'dashboard'))).toBe(false);
});
