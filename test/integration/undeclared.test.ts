import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keepLook, lookAtHost, readLooks } from '../../adapters/host/look.ts';
import { undeclaredSection } from '../../report/undeclared.ts';
import { startTestRedis, type TestRedis } from '../harness/redis.ts';

/** A Redis that runs and stands in no configuration is seen by the worker of its host, and told in the review. */

let dir: string;
let redis: TestRedis;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-undeclared-'));
  redis = await startTestRedis();
});
afterAll(async () => {
  await redis?.close();
  await rm(dir, { recursive: true, force: true });
});

const seen = async (config: unknown): Promise<boolean> =>
  (await lookAtHost(config, 'primary', Date.now())).undeclared.some(
    ({ kind, ports }) => kind === 'Redis' && ports.includes(redis.endpoint.port),
  );

test('what runs undeclared is found; what is declared anywhere, by port or address, is not', async () => {
  const { port } = redis.endpoint;
  expect(await seen({ deployments: { acme: { sites: { primary: { redis: { port: 1 } } } } } })).toBe(true);
  expect(await seen({ deployments: { other: { sites: { dr: { redis: { port } } } } } })).toBe(false);
  expect(await seen({ redis: { cluster: { nodes: [`127.0.0.1:${port}`] } } })).toBe(false);
  expect(await seen({ gateways: [{ url: `http://127.0.0.1:${port}/x` }] })).toBe(false);
});

test('the review has it, with the hosts on which nobody has looked', async () => {
  await keepLook({ repository: dir }, 'acme', await lookAtHost({}, 'primary', Date.now()));
  const looks = await readLooks({ repository: dir }, 'acme');
  const now = new Date().toISOString();
  const { text, table } = undeclaredSection({ looks, workers: ['primary', 'dr'] }, now);
  expect(table!.rows).toContainEqual(
    expect.arrayContaining(['primary', 'Redis', String(redis.endpoint.port)]),
  );
  expect(text!.join('\n')).toContain('on the hosts of dr:');
  const later = new Date(Date.now() + 3 * 86_400_000).toISOString();
  expect(undeclaredSection({ looks, workers: ['primary'] }, later).title).toContain('not looked for');
});
