import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis, ReplyError } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import { requireWithinDrill } from '../host/isolation.ts';
import { within } from '../process/within.ts';
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
  readonly tls?: RedisTls | undefined;
  /** Its number; 0 where nothing is said. */
  readonly database?: number | undefined;
  /** Longer, and it counts as unreachable. */
  readonly answerTimeoutMs?: number;
}

/** In PEM. What is not given is the system's: its authorities, the host as the name. */
export interface RedisTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: Secret | undefined;
  readonly serverName?: string | undefined;
}

const CONNECT_TIMEOUT_MS = 3_000;
/** A server that accepts and says nothing is no better than none: stopped, or waiting for a disk or a pipe itself. */
const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 30;

/** @throws DrError STORE_UNREACHABLE */
export async function connect(endpoint: RedisEndpoint): Promise<Client> {
  if (endpoint.socket === undefined) requireWithinDrill(endpoint.host ?? '127.0.0.1', endpoint.port ?? 6379);
  const client = new Redis({
    ...(endpoint.socket === undefined
      ? { host: endpoint.host ?? '127.0.0.1', port: endpoint.port ?? 6379 }
      : { path: endpoint.socket }),
    ...(endpoint.username === undefined ? {} : { username: endpoint.username }),
    ...(endpoint.password === undefined ? {} : { password: endpoint.password.reveal() }),
    ...(endpoint.tls === undefined ? {} : { tls: tlsOptions(endpoint.tls, endpoint.host) }),
    db: endpoint.database ?? 0,
    // A user may have the right to few commands; this one serves only to be seen in CLIENT LIST.
    disableClientInfo: true,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason = '';
  client.on('error', (error: Error) => (reason ||= error.message));
  try {
    const answered = client.connect().then(() => client.ping());
    await within(answered, endpoint.answerTimeoutMs ?? ANSWER_TIMEOUT_MS, 'answer');
    return client;
  } catch (error) {
    client.disconnect();
    throw (
      denied(error, endpoint) ??
      new DrError(
        'STORE_UNREACHABLE',
        { store: 'Redis', address: addressOf(endpoint), reason: reason || String(error) },
        { cause: error },
      )
    );
  }
}

export function tlsOptions(
  { ca, cert, key, serverName }: RedisTls,
  host: string | undefined,
): ConnectionOptions {
  // An address is no name to ask for.
  const named = host !== undefined && isIP(host) === 0 ? host : undefined;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key.reveal() }),
    ...(serverName === undefined && named === undefined ? {} : { servername: serverName ?? named }),
  };
}

export function addressOf({ socket, host, port }: RedisEndpoint): string {
  return socket ?? `${host ?? '127.0.0.1'}:${port ?? 6379}`;
}

/** What Redis or the connection to it says, as an error of the table; what came from elsewhere as it is. */
export function explained(error: unknown, endpoint: RedisEndpoint): unknown {
  if (error instanceof DrError || !(error instanceof Error)) return error;
  const refused = denied(error, endpoint);
  if (refused) return refused;
  const address = addressOf(endpoint);
  const reason = error.message;
  if (error instanceof ReplyError) {
    const { command } = error as { command?: { name?: string } };
    return new DrError(
      'REDIS_REFUSES',
      { address, command: (command?.name ?? 'a command').toUpperCase(), reason },
      { cause: error },
    );
  }
  if (reason !== 'Connection is closed.' && (error as NodeJS.ErrnoException).syscall === undefined)
    return error;
  return new DrError('STORE_UNREACHABLE', { store: 'Redis', address, reason }, { cause: error });
}

/** An error of Redis that says that this user, or nobody, may give the command: named, with the user. */
export function denied(error: unknown, endpoint: RedisEndpoint): DrError | undefined {
  if (!(error instanceof Error)) return undefined;
  const named = (error as { command?: { name?: string } }).command?.name;
  const [, missing] = /^ERR unknown command ['`]?([\w|-]+)/i.exec(error.message) ?? [];
  if (missing === undefined && !error.message.startsWith('NOPERM')) return undefined;
  const [, asked] = /run the '([^']+)' command/.exec(error.message) ?? [];
  return new DrError(
    'REDIS_DENIED',
    {
      user: endpoint.username ?? 'default',
      command: (asked ?? missing ?? named ?? 'a command').replace('|', ' ').toUpperCase(),
      address: addressOf(endpoint),
      reason: error.message,
    },
    { cause: error },
  );
}

export async function withClient<T>(
  endpoint: RedisEndpoint,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(endpoint);
  try {
    return await work(client);
  } catch (error) {
    throw explained(error, endpoint);
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
