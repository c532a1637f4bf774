import { BSON, type Db, type FindCursor } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import { BsonProblem, documentOf, fieldOf, readBatches, type DocumentsDigest, type Field } from './bson.ts';
import { writeRaw } from './load.ts';
import { changesOf, type Change } from './oplog.ts';
import { updated } from './update.ts';

/**
 * Replays the oplog of a dump over its restored collections, which nobody uses yet. What a document becomes is worked
 * out here, on raw BSON, and written as a whole: the same on every server, and the same when it is done again. The log
 * begins before the first collection was read, so parts of it are in the documents already.
 */

/** Where a collection of the dump was restored to, and what is in it: kept up to date. */
export interface ReplayTarget {
  readonly staged: string;
  readonly digest: DocumentsDigest;
}

export interface Replayed {
  readonly entries: number;
  /** Documents that were written or taken away. */
  readonly documents: number;
}

/** @throws DrError OPLOG_UNSUPPORTED, DATA_UNPROVEN, OBJECT_DAMAGED */
export async function replayOplog(
  db: Db,
  log: AsyncIterable<Uint8Array>,
  targets: ReadonlyMap<string, ReplayTarget>,
): Promise<Replayed> {
  let entries = 0;
  let documents = 0;
  /** Updates of documents that are not there: right only where the log takes them away later. */
  const missing = new Set<string>();
  try {
    for await (const batch of readBatches(log)) {
      const byCollection = new Map<string, DocumentChange[]>();
      for (const change of batch.flatMap((entry) => changesOf(entry, db.databaseName))) {
        if (!touchesDocument(change)) continue;
        const changes = byCollection.get(change.collection) ?? [];
        changes.push(change);
        byCollection.set(change.collection, changes);
      }
      for (const [collection, changes] of byCollection)
        documents += await applyAll(db, collection, targetOf(targets, collection), changes, missing);
      entries += batch.length;
    }
  } catch (error) {
    if (!(error instanceof BsonProblem)) throw error;
    throw new DrError(
      'OBJECT_DAMAGED',
      { object: 'oplog.bson', set: 'the dump', reason: error.message },
      { cause: error },
    );
  }
  if (missing.size > 0)
    throw new DrError('DATA_UNPROVEN', {
      what: 'the oplog of the dump',
      expected: 'every document that it changes',
      actual: `${missing.size} that are neither in the dump nor removed later`,
    });
  return { entries, documents };
}

type DocumentChange = Extract<Change, { id: Field }>;
const touchesDocument = (change: Change): change is DocumentChange => 'id' in change;

function targetOf(targets: ReadonlyMap<string, ReplayTarget>, collection: string): ReplayTarget {
  const target = targets.get(collection);
  if (target) return target;
  throw new DrError('DATA_UNPROVEN', {
    what: `collection ${collection}`,
    expected: 'a place in the dump, for its oplog changes documents of it',
    actual: 'none',
  });
}

/** @returns how many documents are others now. */
async function applyAll(
  db: Db,
  collection: string,
  { staged, digest }: ReplayTarget,
  changes: readonly DocumentChange[],
  missing: Set<string>,
): Promise<number> {
  const ids = new Map(changes.map(({ id }) => [keyOf(id), id]));
  const before = await current(db, staged, [...ids.values()]);
  const after = new Map(before);
  for (const change of changes) {
    const key = keyOf(change.id);
    const old = after.get(key);
    const anywhere = `${collection} ${key}`;
    if (change.kind === 'delete') after.delete(key);
    else if (change.kind === 'insert') after.set(key, change.document);
    else if (old) after.set(key, updated(old, change.update));
    else {
      missing.add(anywhere);
      continue;
    }
    missing.delete(anywhere);
  }
  const inserts: Buffer[] = [];
  const updates: Buffer[] = [];
  const deletes: Buffer[] = [];
  for (const [key, id] of ids) {
    const [old, made] = [before.get(key), after.get(key)];
    if (old ? made?.equals(old) : !made) continue;
    if (old) digest.remove(old);
    if (made) digest.add(made);
    const query: Field = { name: 'q', type: 0x03, value: documentOf([{ ...id, name: '_id' }]) };
    if (!old) inserts.push(made!);
    else if (made) updates.push(documentOf([query, { name: 'u', type: 0x03, value: made }]));
    else deletes.push(documentOf([query, ONE]));
  }
  await writeRaw(db, staged, collection, { deletes, updates, inserts });
  return inserts.length + updates.length + deletes.length;
}

const ONE: Field = { name: 'limit', type: 0x10, value: Buffer.from([1, 0, 0, 0]) };

const keyOf = ({ type, value }: Field): string => `${type} ${value.toString('latin1')}`;

async function current(db: Db, staged: string, ids: readonly Field[]): Promise<Map<string, Buffer>> {
  const $in = ids.map(
    (id) => BSON.deserialize(documentOf([{ ...id, name: '_id' }]), EXACT)['_id'] as unknown,
  );
  const cursor = db
    .collection<{ _id: unknown }>(staged)
    .find({ _id: { $in } } as object, { raw: true }) as unknown as FindCursor<Buffer>;
  const found = new Map<string, Buffer>();
  for await (const document of cursor) found.set(keyOf(fieldOf(document, '_id')!), document);
  return found;
}

/** Ids go to the server with the types that they have. */
const EXACT = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const;
