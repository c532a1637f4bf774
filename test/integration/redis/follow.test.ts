import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { withClient, type RedisEndpoint } from '../../../adapters/redis/client.ts';
import {
  awaitLink,
  follow,
  forgetMaster,
  promoteRedis,
  redisPosition,
  rememberMaster,
} from '../../../adapters/redis/replica.ts';
import { Secret } from '../../../domain/secret.ts';
import { startTestRedis, type TestRedis } from '../../harness/redis.ts';
import { makeCertificates, tlsLines } from '../../harness/tls.ts';

/** A server that served is started again to follow another one, while somebody still has its address. */

const running: TestRedis[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});
async function started(...how: Parameters<typeof startTestRedis>): Promise<TestRedis> {
  const server = await startTestRedis(...how);
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

interface Authority {
  readonly lines: (port: number) => string[];
  readonly tls: NonNullable<RedisEndpoint['tls']>;
}

async function withAuthority(work: (authority: Authority) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-follow-test-'));
  try {
    const made = await makeCertificates(dir);
    const [ca, cert, key] = (await Promise.all(
      [made.ca, made.cert, made.key].map((file) => readFile(file, 'utf8')),
    )) as [string, string, string];
    await work({ lines: (port) => tlsLines(made, port), tls: { ca, cert, key: new Secret(key) } });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test('over TLS alone, as a user with a password of its own: followed, promoted, and followed the other way round', () =>
  withAuthority(async ({ lines, tls }) => {
    // Each with a user and a password that the other does not know.
    const own = (username: string): Promise<TestRedis> =>
      started(
        (port) => [
          ...lines(port),
          `user ${username} on >password-of-${username} ~* &* +@all`,
          'user default off',
        ],
        { tls, username, password: new Secret(`password-of-${username}`) },
      );
    const [one, other] = [await own('one'), await own('other')];
    const { mode } = await stat(other.configFile);
    await follow(other.endpoint, one.endpoint, false);
    await expectLevel(one.endpoint, other.endpoint, 'first');
    // Also after a restart, by its own file, which nobody else may read.
    await other.stop();
    await other.start();
    await expectLevel(one.endpoint, other.endpoint, 'again');
    expect((await stat(other.configFile)).mode).toBe(mode);

    expect(await withClient(other.endpoint, promoteRedis)).toBe(true);
    expect(await withClient(other.endpoint, promoteRedis)).toBe(false);
    await one.stop();
    await rememberMaster(one.configFile, other.endpoint);
    await one.start();
    await follow(one.endpoint, other.endpoint, false);
    await expectLevel(other.endpoint, one.endpoint, 'second');
    expect(await withClient(one.endpoint, redisPosition)).toMatchObject({
      ...{ role: 'replica', linkUp: true },
      master: { port: other.endpoint.port },
    });
    expect(await withClient(one.endpoint, (client) => client.mget('first', 'again'))).toEqual(['1', '1']);
  }));

test('forgets what it knew of another master: a user, a password, TLS', () =>
  withAuthority(async ({ lines, tls }) => {
    const plain = await started(['requirepass ""'], { password: undefined });
    const replica = await started((port) => [...lines(port), 'masteruser somebody', 'masterauth something'], {
      tls,
    });
    await follow(replica.endpoint, plain.endpoint, false);
    await expectLevel(plain.endpoint, replica.endpoint, 'first');
  }));

async function expectLevel(master: RedisEndpoint, replica: RedisEndpoint, name: string): Promise<void> {
  await awaitLink(replica, { timeoutMs: 10_000 });
  await withClient(master, (client) => client.set(name, '1'));
  await expect.poll(() => withClient(replica, (client) => client.get(name)), { timeout: 10_000 }).toBe('1');
}
