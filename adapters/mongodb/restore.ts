import type { Db } from 'mongodb';
import { buffer } from 'node:stream/consumers';
import { PassThrough } from 'node:stream';
import { DrError } from '../../domain/errors.ts';
import { isRawAnalytics, type MongoCollection } from '../../domain/mongodb.ts';
import type { StepKey } from '../files/switch-in.ts';
import { DocumentsDigest } from './bson.ts';
import { inParallel, rawDocuments } from './dump.ts';
import { isIdIndex, loadCollection, makeIndexes, type Opener } from './load.ts';
import { indexesOf, parseMetadata, type CollectionMetadata } from './metadata.ts';
import { replayOplog } from './oplog-replay.ts';
import { beginStaging, endStaging, observeSwitch, stagedName, switchIn, type View } from './switch-in.ts';

/** A dump is built up beside what is there, proven, and switched in; see `switch-in.ts` for what makes that safe. */

export interface DumpedCollection {
  readonly name: string;
  readonly metadata: Opener;
  /** None for a view. */
  readonly data?: Opener;
  /** What the dump counted when it was made; nothing for one of mongodump. */
  readonly counted?: Pick<MongoCollection, 'documents' | 'digest'>;
}

export interface RestoredCollection {
  readonly name: string;
  readonly documents: number;
  readonly digest: string;
  readonly indexes: number;
  /** Options and indexes as the server now has them. */
  readonly definition: string;
  /** Whether every document was read back and is byte for byte what the dump holds. */
  readonly readBack: boolean;
}

/**
 * Puts a dump in the place of what is there. May be called again after a kill at any moment: what was proven is not
 * made again.
 *
 * @param request.before is asked once, before anything of this call is written.
 * @param request.describe makes of what was restored what is kept with it and given back by every later call.
 * @throws DrError OBJECT_DAMAGED, DATA_UNPROVEN; or what an opener or `before` throws.
 */
export async function restoreDump<Result>(
  db: Db,
  key: StepKey,
  dump: readonly DumpedCollection[],
  request: StageOptions & {
    readonly before: () => Promise<void>;
    readonly describe: (restored: readonly RestoredCollection[]) => Result;
  },
): Promise<{ result: Result; observed: boolean }> {
  const seen = await observeSwitch(db, key);
  if (seen.state !== 'absent') {
    await switchIn(db, key);
    return { result: JSON.parse(seen.result) as Result, observed: seen.state === 'done' };
  }
  await request.before();
  const { collections, views } = await stageDump(db, key, dump, request);
  const result = request.describe(collections);
  await endStaging(db, key, { result: JSON.stringify(result), views });
  request.onProgress?.('switching');
  await switchIn(db, key);
  return { result, observed: false };
}

export interface Staged {
  readonly collections: readonly RestoredCollection[];
  /** They are made at the switch. */
  readonly views: readonly View[];
}

export interface StageOptions {
  /** Read back raw analytics as well: as long again as restoring them. */
  readonly everything: boolean;
  /** What was written while the dump was taken. */
  readonly oplog?: Opener | undefined;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Restores every collection under a name of the run's own, and proves it: number and digest of the documents, indexes.
 * Nothing of what is there is touched.
 *
 * @throws DrError OBJECT_DAMAGED, DATA_UNPROVEN; or what an opener throws.
 */
export async function stageDump(
  db: Db,
  key: StepKey,
  dump: readonly DumpedCollection[],
  options: StageOptions,
): Promise<Staged> {
  const metadata = new Map<string, CollectionMetadata>();
  for (const each of dump) metadata.set(each.name, await readMetadataFile(each));
  const filled = dump.filter(({ data }) => data !== undefined);
  await beginStaging(
    db,
    key,
    filled.map(({ name }) => name),
  );
  const loaded = await inParallel(filled, async (each): Promise<LoadedCollection> => {
    options.onProgress?.(each.name);
    const staged = stagedName(key.run, each.name);
    return { staged, metadata: metadata.get(each.name)!, digest: await load(db, staged, each, metadata) };
  });
  if (options.oplog) await replay(db, options.oplog, loaded, options);
  // After the log: while it is replayed, two documents may have a value that an index allows only once.
  const collections = await inParallel(loaded, (each) => finishCollection(db, each, options));
  const views = dump
    .filter(({ data }) => data === undefined)
    .map(({ name }) => ({ name, options: metadata.get(name)!.options }));
  return { collections, views };
}

interface LoadedCollection {
  readonly staged: string;
  readonly metadata: CollectionMetadata;
  /** Of what is in it, as it was sent. */
  readonly digest: DocumentsDigest;
}

async function load(
  db: Db,
  staged: string,
  { name, data, counted }: DumpedCollection,
  metadata: ReadonlyMap<string, CollectionMetadata>,
): Promise<DocumentsDigest> {
  const loaded = await loadCollection(db, staged, metadata.get(name)!, data!);
  if (counted) requireEqual(name, 'documents in its file', counted.documents, loaded.documents);
  if (counted) requireEqual(name, 'digest of its file', counted.digest, loaded.digest());
  return loaded;
}

async function replay(
  db: Db,
  open: Opener,
  loaded: readonly LoadedCollection[],
  { onProgress }: StageOptions,
): Promise<void> {
  onProgress?.('the oplog');
  const content = new PassThrough();
  const targets = new Map(loaded.map((each) => [each.metadata.name, each]));
  const opening = open(content).catch((error: unknown) => {
    content.destroy(error as Error);
    throw error;
  });
  const replaying = replayOplog(db, content as AsyncIterable<Uint8Array>, targets).catch((error: unknown) => {
    content.destroy(error as Error);
    throw error;
  });
  const [opened, replayed] = await Promise.allSettled([opening, replaying]);
  // A damaged object says more than the BSON that it breaks off in; but not what its own sink was closed with.
  if (replayed.status === 'rejected' && replayed.reason instanceof DrError) throw replayed.reason;
  if (opened.status === 'rejected') throw opened.reason;
  if (replayed.status === 'rejected') throw replayed.reason;
}

async function finishCollection(
  db: Db,
  { staged, metadata, digest }: LoadedCollection,
  { everything, signal, onProgress }: StageOptions,
): Promise<RestoredCollection> {
  const { name } = metadata;
  onProgress?.(name);
  await makeIndexes(db, staged, metadata, 'lasting');
  const readBack = everything || !isRawAnalytics(name);
  if (readBack) {
    const found = new DocumentsDigest();
    for await (const document of rawDocuments(db, staged, undefined, signal)) found.add(document);
    requireEqual(name, 'documents', digest.documents, found.documents);
    requireEqual(name, 'digest of the documents', digest.digest(), found.digest());
  } else {
    requireEqual(name, 'documents', digest.documents, await db.collection(staged).countDocuments());
  }
  // From now on the server deletes what has expired: that is no loss, but it must not be counted as one.
  await makeIndexes(db, staged, metadata, 'expiring');
  const definition = await requireIndexes(db, staged, metadata);
  const indexes = metadata.indexes.length;
  return { name, documents: digest.documents, digest: digest.digest(), indexes, definition, readBack };
}

/** A server may take an option and forget it. @throws DrError DATA_UNPROVEN */
async function requireIndexes(
  db: Db,
  staged: string,
  { name, indexes }: CollectionMetadata,
): Promise<string> {
  const found = await indexesOf(db, staged);
  const [wanted, made] = [indexes, found].map((specs) =>
    specs
      .filter((index) => !isIdIndex(index))
      .map(comparable)
      .sort()
      .join('; '),
  ) as [string, string];
  requireEqual(name, 'indexes', wanted, made);
  return made;
}

/** What decides over answers and uniqueness. Versions and defaults differ from server to server. */
const COMPARED = [
  'key',
  'name',
  'unique',
  'sparse',
  'expireAfterSeconds',
  'partialFilterExpression',
  'collation',
];

function comparable(index: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(
    COMPARED.map((option) => index[option]).filter((value) => value !== undefined && value !== false),
  );
}

async function readMetadataFile({ name, metadata }: DumpedCollection): Promise<CollectionMetadata> {
  const content = new PassThrough();
  const [text] = await Promise.all([buffer(content), metadata(content)]);
  const parsed = parseMetadata(text.toString('utf8'), name);
  if (parsed) return parsed;
  throw new DrError('OBJECT_DAMAGED', {
    object: `${name}.metadata.json`,
    set: 'the dump',
    reason: 'it is no metadata of a collection',
  });
}

function requireEqual(
  collection: string,
  what: string,
  expected: string | number,
  actual: string | number,
): void {
  if (expected === actual) return;
  throw new DrError('DATA_UNPROVEN', { what: `collection ${collection}: ${what}`, expected, actual });
}
