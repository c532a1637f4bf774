import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { requireWithinDrill } from '../host/isolation.ts';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';

/** Connections to a PostgreSQL server, over TCP or a Unix socket. One connection a task; no pool to forget. */

export type Client = pg.Client;

export interface Connection {
  /** A host name or address, or the absolute path of the folder that holds the server's socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: Secret | undefined;
  /** By TLS, with certificate and name checked: against these authorities, else those of the system. */
  readonly tls?: { readonly caFile?: string | undefined } | undefined;
  /** As a standby connects: to no database, for the commands of the replication protocol. */
  readonly replication?: true;
}

const CONNECT_TIMEOUT_MS = 5_000;
const READY_POLL_MS = 25;

/** PostgreSQL's codes for 'starting up', 'shutting down' and 'in recovery, not yet consistent'. */
const NOT_YET = ['57P03', '57P01', '57P02'];

/**
 * Opens a connection. The caller ends it; prefer `withClient`.
 *
 * @throws DrError STORE_UNREACHABLE with the reason, never with the password.
 */
export async function connect(connection: Connection): Promise<Client> {
  requireWithinDrill(connection.host, connection.port);
  const client = new pg.Client({
    ...(await ssl(connection)),
    host: connection.host,
    port: connection.port,
    user: connection.user,
    database: connection.database,
    ...(connection.replication ? { replication: 'true' } : {}),
    ...(connection.password ? { password: connection.password.reveal() } : {}),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'tyk-dr',
    keepAlive: true,
  });
  // A server that dies while nobody is asking would otherwise end the worker with an unhandled 'error' event;
  // the next query reports it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw unreachable(connection, error);
  }
}

async function ssl({ tls }: Connection): Promise<Pick<pg.ClientConfig, 'ssl'>> {
  if (!tls) return {};
  const { caFile } = tls;
  if (caFile === undefined) return { ssl: true };
  const ca = await readFile(caFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new DrError(
      'SECRET_MISSING',
      { reference: `file:${caFile}`, reason: error.code },
      { cause: error },
    );
  });
  return { ssl: { ca } };
}

/**
 * Asks the server to give up what a connection of ours waits for. It takes no connection of the server's: also where all
 * are in use. Never throws: a server that is gone waits for nothing any more.
 */
export async function cancelQuery({ host, port }: Connection, client: Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(CANCEL_BYTES);
  for (const [index, word] of [CANCEL_BYTES, CANCEL_REQUEST, processID, secretKey].entries())
    request.writeInt32BE(word, index * 4);
  const socket = host.startsWith('/')
    ? createConnection(join(host, `.s.PGSQL.${port}`))
    : createConnection(port, host);
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy());
  await new Promise<void>((done) => {
    // The server closes it, whatever came of it.
    socket.once('close', () => done()).on('error', () => undefined);
    socket.on('connect', () => socket.end(request));
    socket.resume();
  });
}

/** The protocol's message CancelRequest: its length, its code, and which connection is meant. */
const CANCEL_BYTES = 16;
const CANCEL_REQUEST = 80_877_102;

/**
 * Runs some work on a connection of its own, which is ended whatever happens.
 *
 * @throws DrError STORE_UNREACHABLE, also where the server ended the connection under the work.
 */
export async function withClient<T>(
  connection: Connection,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(connection);
  try {
    return await work(client);
  } catch (error) {
    throw isLost(error) ? unreachable(connection, error) : error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

export interface WaitOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Throws where waiting longer makes no sense, for instance because the server has ended. */
  readonly giveUp?: () => void;
}

/**
 * Waits until the server takes connections, a standby included.
 *
 * @throws DrError STORE_UNREACHABLE when the deadline passes, or at once where the server answers but refuses
 *   (wrong password, no such database): waiting does not mend that.
 */
export async function waitReady(connection: Connection, options: WaitOptions): Promise<Client> {
  const deadline = performance.now() + options.deadlineMs;
  for (;;) {
    options.giveUp?.();
    try {
      return await connect(connection);
    } catch (error) {
      const code = (error as { cause?: { code?: unknown } }).cause?.code;
      const answered = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !NOT_YET.includes(code);
      if (performance.now() > deadline || (answered && /^(28|3D)/.test(code))) throw error;
    }
    await sleep(READY_POLL_MS, undefined, { signal: options.signal });
  }
}

/** The single value of a query that answers with one row and one column. */
export async function queryValue<T>(client: Client, sql: string, values: unknown[] = []): Promise<T> {
  const { rows } = await client.query<T[]>({ text: sql, values, rowMode: 'array' });
  return rows[0]?.[0] as T;
}

/** PostgreSQL's codes of a server that ends, and what the driver says when one is gone without a word. */
export function isLost(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return (
    /^(57P0[123]|08\w{3}|ECONNRESET|EPIPE)$/.test(code) ||
    /^Connection terminated|not queryable/.test(message)
  );
}

function unreachable(connection: Connection, cause: unknown): DrError {
  const { message, code } = cause as { message?: string; code?: string };
  const address = connection.host.startsWith('/')
    ? `${connection.host}/.s.PGSQL.${connection.port}`
    : `${connection.host}:${connection.port}`;
  const reason = message || code || String(cause);
  return new DrError('STORE_UNREACHABLE', { store: 'PostgreSQL', address, reason }, { cause });
}
