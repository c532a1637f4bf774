import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitReady, type Client, type RedisEndpoint } from '../../adapters/redis/client.ts';
import { Secret } from '../../domain/secret.ts';
import { freePort } from '../../adapters/host/free-port.ts';

/** A real Redis with a data folder of its own, as the guide configures it or otherwise; it dies with the tests. */

export const REDIS_PASSWORD = new Secret('redis-password-of-the-tests');

const READY_TIMEOUT_MS = 30_000;

export interface TestRedis {
  readonly dir: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly endpoint: RedisEndpoint & { readonly port: number };
  /** Of the server as it runs now. */
  readonly client: () => Client;
  readonly start: () => Promise<void>;
  /** An orderly end, which saves nothing that the configuration does not save. */
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `settings` come last and may take the place of what stands here; `reach` says how it is spoken to then. */
export async function startTestRedis(
  settings: readonly string[] | ((port: number) => readonly string[]) = ['appendonly yes'],
  reach: Partial<RedisEndpoint> = {},
): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-redis-test-'));
  const dataDir = join(dir, 'data');
  const configFile = join(dir, 'redis.conf');
  const endpoint = { host: '127.0.0.1', port: await freePort(), password: REDIS_PASSWORD, ...reach };
  const { port } = endpoint as { port: number };
  await mkdir(dataDir);
  const lines = [
    ...['bind 127.0.0.1', `port ${port}`, `requirepass ${REDIS_PASSWORD.reveal()}`, `dir ${dataDir}`],
    ...['save ""', 'repl-diskless-sync-delay 0', 'enable-debug-command yes'],
    ...(typeof settings === 'function' ? settings(port) : settings),
  ];
  await writeFile(configFile, `${lines.join('\n')}\n`, { mode: 0o600 });
  let server: ChildProcess | undefined;
  let client: Client | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    client?.disconnect();
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  };
  const start = async (): Promise<void> => {
    await mkdir(dataDir, { recursive: true });
    server = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'redis-server', configFile], { stdio: 'ignore' });
    client = await waitReady(endpoint, READY_TIMEOUT_MS);
  };
  await start();
  return {
    dir,
    dataDir,
    configFile,
    endpoint: { ...endpoint, port },
    client: () => client!,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    close: async () => {
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Keys of every type, large enough that sets and hashes are no longer kept in the order of their making. */
export async function seedEveryType(client: Client): Promise<void> {
  const many = Array.from({ length: 700 }, (_, n) => `member ${n}`);
  for (const name of ['a', 'b']) {
    await client.set(`string-${name}`, `value ${name} \u0000 ü`);
    await client.rpush(`list-${name}`, ...many.slice(0, 300), 'again', 'again');
    await client.sadd(`set-${name}`, ...many);
    await client.sadd(`intset-${name}`, 3, 1, 2);
    await client.zadd(`zset-${name}`, ...many.flatMap((member, n) => [n / 3, member]));
    await client.hset(`hash-${name}`, Object.fromEntries(many.map((member, n) => [member, String(n)])));
    for (let n = 0; n < 20; n += 1) await client.xadd(`stream-${name}`, '*', 'n', String(n), 'f', 'v');
    await client.pfadd(`hyperloglog-${name}`, ...many);
  }
}

/** All bytes of a stream. */
export async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
