import { Readable } from 'node:stream';
import type { ClientSession, Db, FindCursor } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import type { MongoCollection, MongoFacts } from '../../domain/mongodb.ts';
import { DocumentsDigest } from './bson.ts';
import { listCollections, withDatabase, type MongoEndpoint } from './client.ts';
import { dumpPath } from './dump-path.ts';
import { readMetadata, writeMetadata, type CollectionMetadata } from './metadata.ts';
import { markOplog } from './oplog-capture.ts';
import { keepOplog, pairs, withSchemaOf, type ReadCollection } from './oplog-keep.ts';

/**
 * A database in mongodump's directory format: of every collection its documents as raw BSON, one behind the other, and
 * its options and indexes. Documents are never decoded. Memory is bounded by what is under way.
 */

/** As many as mongodump reads at the same time. */
const PARALLEL = 4;
/** A stream of small chunks would cost more than what is in them. */
const CHUNK_BYTES = 256 << 10;
const BATCH_DOCUMENTS = 1_000;
/** Snapshot reads outside of transactions came with MongoDB 5.0. */
const SNAPSHOT_WIRE_VERSION = 13;

export interface DumpRequest {
  readonly endpoint: MongoEndpoint;
  /** Takes one file of the dump to its end. @returns the name under which it is found again. */
  readonly store: (path: string, content: Readable) => Promise<string>;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** @throws DrError STORE_UNREACHABLE, OPLOG_UNSUPPORTED, OPLOG_LOST; or what `store` throws. */
export async function dumpDatabase(request: DumpRequest): Promise<MongoFacts> {
  return withDatabase(request.endpoint, async (db) => {
    const { version } = (await db.admin().buildInfo()) as { version: string };
    // Before anything is listed: what is made or changed from here on is in the log.
    const mark = await markOplog(db);
    const names = (await listCollections(db)).map(({ name }) => name);
    if (names.length === 0) throw empty(request.endpoint);
    const metadata = await readMetadata(db, names);
    for (const { name, type } of metadata) if (type === 'timeseries') throw lacks(name);
    const session = await snapshotOf(db);
    const takenAt = new Date().toISOString();
    try {
      const read = await inParallel(metadata, (each) => readCollection(db, each, session, request));
      const log = 'from' in mark ? await keepOplog(db, mark.from, request) : undefined;
      const whole = log ? withSchemaOf(read, metadata, log) : pairs(read, metadata);
      const collections = await inParallel(whole, (each) => keepCollection(db.databaseName, each, request));
      const consistency = log ? 'oplog' : session ? 'snapshot' : 'none';
      const databaseBytes = collections.reduce((sum, { bytes }) => sum + bytes, 0);
      const name = db.databaseName;
      const facts = { method: 'mongodump', version, name, takenAt, consistency, collections } as const;
      const oplog = 'none' in mark ? { withoutOplog: mark.none } : { oplog: log!.facts };
      return { ...facts, ...oplog, databaseBytes };
    } finally {
      await session?.endSession();
    }
  });
}

/**
 * A session in which every read sees the moment of its first one. Undefined where the server has none: a server alone,
 * one of before 5.0, or another make.
 */
async function snapshotOf(db: Db): Promise<ClientSession | undefined> {
  const hello = await db.command({ hello: 1 });
  const replicated = typeof hello['setName'] === 'string' || hello['msg'] === 'isdbgrid';
  if (!replicated || (hello['maxWireVersion'] as number) < SNAPSHOT_WIRE_VERSION) return undefined;
  const session = db.client.startSession({ snapshot: true });
  // Now, not when the first of several collections happens to be read.
  await db
    .collection((await listCollections(db)).find(({ type }) => type === 'collection')?.name ?? 'none')
    .findOne({}, { session });
  // Another make of server may take the word and not do it: then it tells no moment.
  if ((session as { snapshotTime?: unknown }).snapshotTime !== undefined) return session;
  await session.endSession();
  return undefined;
}

/** The documents of one collection; a view has none. */
async function readCollection(
  db: Db,
  { name, type }: CollectionMetadata,
  session: ClientSession | undefined,
  { store, onProgress, signal }: DumpRequest,
): Promise<ReadCollection> {
  onProgress?.(name);
  const digest = new DocumentsDigest();
  if (type === 'view') return { name, digest };
  const documents = chunks(rawDocuments(db, name, session, signal), digest);
  const path = `${dumpPath(db.databaseName, name)}.bson`;
  return { name, digest, data: await store(path, Readable.from(documents, { objectMode: false })) };
}

/** Options and indexes go into the dump last: the log may have added to them. */
async function keepCollection(
  database: string,
  { data, digest, ...metadata }: ReadCollection & CollectionMetadata,
  { store }: DumpRequest,
): Promise<MongoCollection> {
  const { name, type, indexes } = metadata;
  const path = dumpPath(database, name);
  const empty = type === 'view' ? undefined : () => store(`${path}.bson`, Readable.from([]));
  // Made while the dump was taken: all of its documents are in the log.
  const file = data ?? (await empty?.());
  return {
    name,
    type: type === 'view' ? 'view' : 'collection',
    path,
    ...(file === undefined ? {} : { data: file }),
    metadata: await store(`${path}.metadata.json`, Readable.from([Buffer.from(writeMetadata(metadata))])),
    documents: digest.documents,
    bytes: digest.bytes,
    digest: digest.digest(),
    indexes: indexes.length,
  };
}

/** In the order in which the server keeps them: that of a capped collection is part of it. */
export async function* rawDocuments(
  db: Db,
  collection: string,
  session?: ClientSession,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const cursor = db.collection(collection).find(
    {},
    {
      raw: true,
      batchSize: BATCH_DOCUMENTS,
      ...(session ? { session } : {}),
    },
  ) as unknown as FindCursor<Buffer>;
  try {
    for await (const document of cursor) {
      signal?.throwIfAborted();
      yield document;
    }
  } finally {
    await cursor.close();
  }
}

export async function* chunks(
  documents: AsyncIterable<Buffer>,
  digest: Pick<DocumentsDigest, 'add'>,
): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const document of documents) {
    digest.add(document);
    waiting.push(document);
    bytes += document.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting);
    [waiting, bytes] = [[], 0];
  }
  if (waiting.length > 0) yield Buffer.concat(waiting);
}

/** The first failure is thrown when what was under way has ended; nothing new is begun after it. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const queue = [...items.entries()];
  let failed = false;
  const workers = Array.from({ length: PARALLEL }, async () => {
    for (let next = queue.shift(); next !== undefined && !failed; next = queue.shift()) {
      try {
        results[next[0]] = await work(next[1]);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  });
  const ended = await Promise.allSettled(workers);
  for (const worker of ended) if (worker.status === 'rejected') throw worker.reason;
  return results;
}

function empty({ host, port, database }: MongoEndpoint): DrError {
  return new DrError('DATA_UNPROVEN', {
    what: `database ${database} at ${host}:${port}`,
    expected: 'collections',
    actual: 'none: is it the right one?',
  });
}

/** Their documents lie in buckets that belong to one version of the server. Tyk keeps nothing so. */
function lacks(collection: string): DrError {
  return new DrError('DATA_UNPROVEN', {
    what: `collection ${collection}`,
    expected: 'a collection or a view',
    actual: 'a time series, which tyk-dr does not back up',
  });
}
