import { Readable } from 'node:stream';
import type { Db } from 'mongodb';
import type { MongoOplog } from '../../domain/mongodb.ts';
import { DocumentsDigest } from './bson.ts';
import { chunks, type DumpRequest } from './dump.ts';
import type { CollectionMetadata, IndexSpec } from './metadata.ts';
import { changesOf, isoOf, type Change, type OplogTime } from './oplog.ts';
import { readOplog } from './oplog-capture.ts';

/** The oplog becomes part of a dump, and what it says of collections and indexes part of their metadata. */

/** What a dump has read of one collection. */
export interface ReadCollection {
  readonly name: string;
  readonly digest: DocumentsDigest;
  /** None for a view. */
  readonly data?: string;
}

/** What changes collections; what changes documents stays in the file. */
type SchemaChange = Extract<Change, { kind: 'create' | 'index' }>;

interface KeptOplog {
  readonly facts: MongoOplog;
  readonly schema: readonly SchemaChange[];
}

/**
 * Every entry is understood before it is kept: a set that could not be restored is none.
 *
 * @throws DrError OPLOG_UNSUPPORTED, OPLOG_LOST
 */
export async function keepOplog(
  db: Db,
  after: OplogTime,
  { store, onProgress, signal }: Pick<DumpRequest, 'store' | 'onProgress' | 'signal'>,
): Promise<KeptOplog> {
  onProgress?.('the oplog');
  const { to, entries } = await readOplog(db, after, signal);
  const tally = new Tally(db.databaseName);
  const content = Readable.from(chunks(entries, tally), { objectMode: false });
  const data = await store('oplog.bson', content);
  return { facts: { data, ...tally.told(), endsAt: isoOf(to), after, upTo: to }, schema: tally.schema };
}

/** What the entries of a log come to. */
class Tally {
  readonly #database: string;
  readonly #touched = new Map<string, { inserts: number; deletes: number }>();
  readonly schema: SchemaChange[] = [];
  #entries = 0;

  constructor(database: string) {
    this.#database = database;
  }

  /** @throws DrError OPLOG_UNSUPPORTED */
  add(entry: Buffer): void {
    this.#entries += 1;
    for (const change of changesOf(entry, this.#database)) {
      if (change.kind === 'create' || change.kind === 'index') {
        this.schema.push(change);
        continue;
      }
      const counts = this.#touched.get(change.collection) ?? { inserts: 0, deletes: 0 };
      if (change.kind === 'insert') counts.inserts += 1;
      if (change.kind === 'delete') counts.deletes += 1;
      this.#touched.set(change.collection, counts);
    }
  }

  told(): Pick<MongoOplog, 'entries' | 'touched'> {
    return { entries: this.#entries, touched: Object.fromEntries(this.#touched) };
  }
}

/** Each collection with its metadata. */
export function pairs(
  read: readonly ReadCollection[],
  metadata: readonly CollectionMetadata[],
): (ReadCollection & CollectionMetadata)[] {
  return read.map((each, index) => ({ ...metadata[index]!, ...each }));
}

/** The same, with the collections and indexes that were made while the dump was taken. */
export function withSchemaOf(
  read: readonly ReadCollection[],
  metadata: readonly CollectionMetadata[],
  { schema, facts }: KeptOplog,
): (ReadCollection & CollectionMetadata)[] {
  const whole = new Map(pairs(read, metadata).map((each) => [each.name, each]));
  const add = (name: string, options: CollectionMetadata['options']): void => {
    if (whole.has(name)) return;
    whole.set(name, {
      name,
      type: 'collection',
      options,
      indexes: [ID_INDEX],
      digest: new DocumentsDigest(),
    });
  };
  for (const change of schema) if (change.kind === 'create') add(change.collection, change.options);
  // Not every server logs that it made a collection of the first document.
  for (const name of Object.keys(facts.touched)) add(name, {});
  for (const change of schema) {
    const collection = whole.get(change.collection);
    if (change.kind !== 'index' || !collection) continue;
    const index = Object.fromEntries(
      Object.entries(change.index).filter(([option]) => option !== 'ns'),
    ) as IndexSpec;
    // Made before the indexes were read: it is there already.
    if (collection.indexes.some(({ name }) => name === index.name)) continue;
    whole.set(change.collection, { ...collection, indexes: [...collection.indexes, index] });
  }
  return [...whole.values()];
}

const ID_INDEX: IndexSpec = { v: 2, key: { _id: 1 }, name: '_id_' };
