import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../../adapters/config/load.ts';
import type { PartResult } from '../../../domain/backup.ts';
import { callActivity, type ChildEnd } from '../../harness/activity.ts';
import { backupStepOf, signSet, stepOf, type TestDeployment } from '../../harness/deployment.ts';
import { startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { redisDeployment } from '../../harness/redis-scene.ts';

/** One value of a gigabyte kills nothing. */

const SET = '20260101T000000Z-0001';
const GIB = 1 << 30;
let redis: TestRedis;
let scene: TestDeployment;

beforeAll(async () => {
  redis = await startTestRedis(['appendonly no', 'proto-max-bulk-len 2gb']);
  scene = await redisDeployment(redis);
  await redis.client().set('apikey-1', 'small');
  await redis.client().setrange('giant', GIB - 4, 'last');
}, 60_000);
afterAll(() => redis?.close());

const backup = (of: TestDeployment): Promise<ChildEnd> =>
  callActivity({
    configFile: of.configFile,
    activity: 'back-up-redis',
    input: backupStepOf(of, 'back-up-redis', SET),
  });

test('by commands it is refused, with both sizes, before a byte of it is asked for', async () => {
  const files = await readFile(scene.configFile, 'utf8');
  const config = parse(files) as {
    deployments: { acme: { sites: { dr: { redis: Record<string, unknown> } } } };
  };
  config.deployments.acme.sites.dr.redis['method'] = 'commands';
  await writeFile(scene.configFile, stringify(config), { mode: 0o600 });
  const told = { ...scene, deployment: (await loadConfig(scene.configFile)).deployments['acme']! };
  const { error } = await backup(told);
  expect(error).toMatchObject({ code: 'VALUE_TOO_LARGE' });
  expect(await redis.client().info('commandstats')).not.toContain('cmdstat_dump:');
  await writeFile(scene.configFile, files, { mode: 0o600 });
});

test('from its files it is backed up, and comes back to the last byte', async () => {
  const { result, error } = await backup(scene);
  expect(error).toBeUndefined();
  const part = result as PartResult;
  await signSet(scene, { set: SET, site: 'dr', objects: part.objects, redis: part.redis! });
  await redis.kill();
  await rm(redis.dataDir, { recursive: true });
  await mkdir(redis.dataDir);
  const input = stepOf(scene, { run: 'run-1', step: 'restore-redis-data', set: SET });
  const restored = await callActivity({
    configFile: scene.configFile,
    activity: 'restore-redis-data',
    input,
  });
  expect(restored.error).toBeUndefined();
  await redis.start();
  const client = redis.client();
  expect(await client.get('apikey-1')).toBe('small');
  expect(await client.strlen('giant')).toBe(GIB);
  expect(await client.getrange('giant', -6, -1)).toBe('\0\0last');
});
