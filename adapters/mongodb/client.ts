import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient, type Db } from 'mongodb';
import { requireWithinDrill } from '../host/isolation.ts';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';

/** Connections to a MongoDB server, or to any that speaks its protocol. */

export interface MongoEndpoint {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  /** The database that the user is of. */
  readonly authSource?: string | undefined;
  /** Given its name, the driver finds the other members and writes to the primary. */
  readonly replicaSet?: string | undefined;
  readonly tls?: { readonly caFile?: string | undefined } | undefined;
}

const CONNECT_TIMEOUT_MS = 5_000;
const READY_POLL_MS = 50;

/** Runs some work on a connection of its own, which is closed whatever happens. @throws DrError STORE_UNREACHABLE */
export async function withDatabase<T>(endpoint: MongoEndpoint, work: (db: Db) => Promise<T>): Promise<T> {
  const client = await connect(endpoint);
  try {
    return await work(client.db(endpoint.database));
  } finally {
    await client.close();
  }
}

/** Waits until the server answers and takes writes. The caller closes. @throws DrError STORE_UNREACHABLE when it is late. */
export async function waitReady(
  endpoint: MongoEndpoint,
  deadlineMs: number,
  signal?: AbortSignal,
): Promise<MongoClient> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await connect(endpoint);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(READY_POLL_MS, undefined, { signal });
    }
  }
}

export async function connect(endpoint: MongoEndpoint): Promise<MongoClient> {
  const { host, port, user, password, authSource, replicaSet, tls } = endpoint;
  requireWithinDrill(host, port);
  const client = new MongoClient(`mongodb://${host}:${port}/`, {
    appName: 'tyk-dr',
    serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    // One answer, one cause: what failed is told to a person or tried again as a whole step.
    retryWrites: false,
    ...(replicaSet === undefined ? { directConnection: true } : { replicaSet }),
    ...(user === undefined
      ? {}
      : { auth: { username: user, password: password?.reveal() ?? '' }, authSource: authSource ?? 'admin' }),
    ...(tls === undefined ? {} : { tls: true, ...(tls.caFile ? { ca: await readFile(tls.caFile) } : {}) }),
  });
  try {
    await client.connect();
    await client.db(endpoint.database).command({ ping: 1 });
    return client;
  } catch (error) {
    await client.close().catch(() => undefined);
    throw unreachable(endpoint, error);
  }
}

function unreachable({ host, port }: MongoEndpoint, cause: unknown): DrError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DrError(
    'STORE_UNREACHABLE',
    { store: 'MongoDB', address: `${host}:${port}`, reason },
    { cause },
  );
}

/** Collections of ours: data beside the live ones, and the ledger. A backup leaves them out. */
export const OWN_PREFIX = 'tyk-dr-';

/** What a server keeps for itself, and what we do. */
export function isOwn(collection: string): boolean {
  return collection.startsWith('system.') || collection.startsWith(OWN_PREFIX);
}

/** Names and types of what a database holds, without the server's and our own. */
export async function listCollections(db: Db): Promise<{ name: string; type: string }[]> {
  const all = await db.listCollections({}, { nameOnly: true }).toArray();
  return all
    .filter(({ name }) => !isOwn(name))
    .map(({ name, type }) => ({ name, type: type ?? 'collection' }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
