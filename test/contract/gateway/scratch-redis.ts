import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { Secret } from '../../../domain/secret.ts';
import { eventually } from '../../harness/gateway.ts';
import { freePort } from '../../../adapters/host/free-port.ts';

const PASSWORD = new Secret('redis-secret-of-the-tests');

export interface ScratchRedis {
  readonly host: string;
  readonly port: number;
  readonly password: Secret;
  readonly client: Redis;
  stop(): Promise<void>;
  /** Starts again on the same port, empty. */
  resume(): Promise<void>;
  end(): Promise<void>;
}

/** A Redis of its own for one test file: no persistence, a password, a free port. */
export async function startScratchRedis(): Promise<ScratchRedis> {
  const port = await freePort();
  const folder = await mkdtemp(path.join(tmpdir(), 'tyk-dr-redis-'));
  const client = new Redis({
    host: '127.0.0.1',
    port,
    password: PASSWORD.reveal(),
    lazyConnect: true,
    retryStrategy: () => 50,
  });
  client.on('error', () => undefined);
  let server: ChildProcess | undefined;
  const redis: ScratchRedis = {
    host: '127.0.0.1',
    port,
    password: PASSWORD,
    client,
    stop: async () => {
      if (!server) return;
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      server = undefined;
      await ended;
    },
    resume: async () => {
      server = spawn('redis-server', ['-'], { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] });
      server.stdin?.end(
        `bind 127.0.0.1\nport ${port}\nrequirepass ${PASSWORD.reveal()}\nsave ""\ndir ${folder}\n`,
      );
      await eventually(() => client.ping());
    },
    end: async () => {
      client.disconnect();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await redis.resume();
  return redis;
}
