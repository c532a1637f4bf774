import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';

/** Connections to Redis, by TCP or unix socket, that fail fast and say why. */

export type Client = Redis;

export interface RedisEndpoint {
  readonly host?: string;
  readonly port?: number;
  /** A unix socket instead of host and port. */
  readonly socket?: string;
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
}

const CONNECT_TIMEOUT_MS = 3_000;
const POLL_MS = 30;

/** @throws DrError STORE_UNREACHABLE */
export async function connect(endpoint: RedisEndpoint): Promise<Client> {
  const client = new Redis({
    ...(endpoint.socket === undefined
      ? { host: endpoint.host ?? '127.0.0.1', port: endpoint.port ?? 6379 }
      : { path: endpoint.socket }),
    ...(endpoint.username === undefined ? {} : { username: endpoint.username }),
    ...(endpoint.password === undefined ? {} : { password: endpoint.password.reveal() }),
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason = '';
  client.on('error', (error: Error) => (reason ||= error.message));
  try {
    await client.connect();
    await client.ping();
    return client;
  } catch (error) {
    client.disconnect();
    const address = endpoint.socket ?? `${endpoint.host ?? '127.0.0.1'}:${endpoint.port ?? 6379}`;
    throw new DrError(
      'STORE_UNREACHABLE',
      { store: 'Redis', address, reason: reason || String(error) },
      { cause: error },
    );
  }
}

export async function withClient<T>(
  endpoint: RedisEndpoint,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(endpoint);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** Waits until the server answers and has finished loading. */
export async function waitReady(
  endpoint: RedisEndpoint,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Client> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      const client = await connect(endpoint);
      if (parseInfo(await client.info('persistence'))['loading'] === '0') return client;
      client.disconnect();
      if (performance.now() > deadline)
        throw new DrError('STORE_UNREACHABLE', {
          store: 'Redis',
          address: String(endpoint.port ?? endpoint.socket),
          reason: 'it is still loading',
        });
    } catch (error) {
      // A server that loads answers PING with LOADING; that, too, is only not ready yet.
      if (performance.now() > deadline || !(error instanceof DrError)) throw error;
    }
    await sleep(POLL_MS, undefined, signal ? { signal } : {});
  }
}

/** `INFO` as fields. */
export function parseInfo(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\r\n')) {
    const at = line.indexOf(':');
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1);
  }
  return fields;
}
