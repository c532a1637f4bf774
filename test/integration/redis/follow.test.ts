import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { withClient } from '../../../adapters/redis/client.ts';
import { awaitLink, follow, forgetMaster, rememberMaster } from '../../../adapters/redis/replica.ts';
import { startTestRedis, type TestRedis } from '../../harness/redis.ts';

/** A server that served is started again to follow another one, while somebody still has its address. */

const running: TestRedis[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});
async function started(settings?: readonly string[]): Promise<TestRedis> {
  const server = await startTestRedis(settings);
  running.push(server);
  return server;
}

test.each([
  ['a master before', []],
  ['a writable replica of a third one before', ['replicaof 127.0.0.1 1', 'replica-read-only no']],
])('takes no write from its first moment on: %s', async (_, settings) => {
  const master = await started();
  const old = await started(settings);
  await old.stop();
  await rememberMaster(old.configFile, master.endpoint);
  await old.start();
  const write = (): Promise<unknown> => withClient(old.endpoint, (client) => client.set('late', '1'));
  await expect(write()).rejects.toThrow(/READONLY/);
  await follow(old.endpoint, master.endpoint, false);
  await awaitLink(old.endpoint, { timeoutMs: 10_000 });
  await expect(write()).rejects.toThrow(/READONLY/);
  // Whoever is told to be the master again is one, whatever was written down.
  await old.stop();
  expect(await forgetMaster(old.configFile)).toBe(true);
  expect(await readFile(old.configFile, 'utf8')).not.toMatch(/replicaof/);
  await old.start();
  expect(await write()).toBe('OK');
});
