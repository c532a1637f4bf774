import { createRequire } from 'node:module';
import { PassThrough, type Writable } from 'node:stream';
import { MongoServerError, type Db, type Document } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import { BsonProblem, DocumentsDigest, readBatches } from './bson.ts';
import { expires, type CollectionMetadata, type IndexSpec } from './metadata.ts';

/** Makes collections from the files of a dump: ours, or what mongodump wrote. */

/**
 * The driver encodes every document that it is given, but hands on what is already encoded in a part of its own
 * messages. It is not in the driver's public interface: the version is exact, and a test holds it.
 */
const { DocumentSequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  DocumentSequence: new (field: string) => { push(document: object, bytes: Uint8Array): void };
};

/** From 8.0 a server can be told to keep an empty timestamp as it is, and before, it cannot. */
const KEEPS_EMPTY_TIMESTAMPS = 25;
/** All members that count have it, on their disks: the ledger that follows must not be ahead of it. */
const DURABLE = { writeConcern: { w: 'majority', j: true } } as const;

/** Of one collection. The order of a capped one is part of it: there one after the other. */
const INSERTS = 4;

/** One file of a dump: writes its plain content to the sink, and ends well only where all of it was as it must be. */
export type Opener = (sink: Writable) => Promise<void>;

/**
 * Creates a collection and fills it. Indexes come later: over documents that are there they are made faster.
 *
 * @throws DrError OBJECT_DAMAGED where the file is no BSON, STORE_REFUSED; or what `open` throws.
 */
export async function loadCollection(
  db: Db,
  name: string,
  metadata: CollectionMetadata,
  open: Opener,
): Promise<DocumentsDigest> {
  await asked(db, metadata.name, { create: name, ...creatable(metadata.options), ...DURABLE });
  const keepsTimestamps = await keepsEmptyTimestamps(db);
  const digest = new DocumentsDigest();
  const content = new PassThrough();
  const fill = async (): Promise<void> => {
    try {
      const ordered = metadata.options['capped'] === true;
      await insertAll(
        readBatches(content as AsyncIterable<Uint8Array>),
        ordered ? 1 : INSERTS,
        async (batch) => {
          await insertRaw(db, name, metadata.name, batch, keepsTimestamps);
          for (const document of batch) digest.add(document);
        },
      );
    } catch (error) {
      // Ends the reading of the object as well.
      content.destroy(error as Error);
      throw error;
    }
  };
  const opening = open(content).catch((error: unknown) => {
    // It may not have got as far as the content.
    content.destroy(error as Error);
    throw error;
  });
  const [opened, filled] = await Promise.allSettled([opening, fill()]);
  // A damaged object says more than the BSON that it breaks off in.
  if (opened.status === 'rejected' && opened.reason !== (filled as Partial<PromiseRejectedResult>).reason)
    throw opened.reason;
  if (filled.status === 'rejected') throw damaged(metadata.name, filled.reason);
  return digest;
}

/** A few at a time, so that the server never waits for the next one: what is under way is bounded by their number. */
async function insertAll(
  batches: AsyncIterable<Buffer[]>,
  atATime: number,
  insert: (batch: Buffer[]) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const batch of batches) {
      const inserting: Promise<void> = insert(batch)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => underWay.delete(inserting));
      underWay.add(inserting);
      if (underWay.size >= atATime) await Promise.race(underWay);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (failures.length > 0) throw failures[0];
}

function damaged(collection: string, cause: unknown): unknown {
  if (!(cause instanceof BsonProblem)) return cause;
  return new DrError(
    'OBJECT_DAMAGED',
    { object: `${collection}.bson`, set: 'the dump', reason: cause.message },
    { cause },
  );
}

/** Options that a server tells but does not take. */
const TOLD_ONLY = ['uuid', 'autoIndexId', 'temp', 'flags'];

function creatable(options: Document): Document {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !TOLD_ONLY.includes(name)));
}

async function insertRaw(
  db: Db,
  name: string,
  collection: string,
  batch: readonly Buffer[],
  keepsTimestamps: boolean,
): Promise<void> {
  await sendRaw(db, collection, { insert: name, ...asItCame(keepsTimestamps) }, 'documents', batch);
}

/** As fast as a server takes documents, and no more: the limit that a restore is measured by. */
export function insertUnordered(db: Db, name: string, batch: readonly Buffer[]): Promise<void> {
  return sendRaw(db, name, { insert: name }, 'documents', batch, {
    ordered: false,
    writeConcern: { w: 1 },
  });
}

/** Documents that are older than their validator were accepted when they came. */
const asItCame = (keepsTimestamps: boolean): Document => ({
  bypassDocumentValidation: true,
  ...(keepsTimestamps ? { bypassEmptyTsReplacement: true } : {}),
});

/** Statements of the wire protocol, already encoded; in this order. */
export interface RawWrites {
  readonly deletes: readonly Buffer[];
  readonly updates: readonly Buffer[];
  readonly inserts: readonly Buffer[];
}

/** @throws DrError DATA_UNPROVEN where the server does not take each of them. */
export async function writeRaw(
  db: Db,
  name: string,
  collection: string,
  { deletes, updates, inserts }: RawWrites,
): Promise<void> {
  const kept = asItCame(await keepsEmptyTimestamps(db));
  if (deletes.length > 0) await sendRaw(db, collection, { delete: name }, 'deletes', deletes);
  if (updates.length > 0) await sendRaw(db, collection, { update: name, ...kept }, 'updates', updates);
  if (inserts.length > 0) await sendRaw(db, collection, { insert: name, ...kept }, 'documents', inserts);
}

async function keepsEmptyTimestamps(db: Db): Promise<boolean> {
  const wire = (await db.command({ hello: 1 }))['maxWireVersion'] as number | undefined;
  return (wire ?? 0) >= KEEPS_EMPTY_TIMESTAMPS;
}

async function sendRaw(
  db: Db,
  collection: string,
  command: Document,
  field: 'documents' | 'updates' | 'deletes',
  statements: readonly Buffer[],
  options: Document = { ordered: true },
): Promise<void> {
  const sequence = new DocumentSequence(field);
  for (const statement of statements) sequence.push(statement, statement);
  const answer = await asked(db, collection, { ...command, ...DURABLE, ...options, [field]: sequence });
  const errors = answer['writeErrors'] as { errmsg: string }[] | undefined;
  if (errors?.[0]) throw refused(collection, errors[0].errmsg);
  if (answer['n'] !== statements.length)
    throw refused(collection, `it took ${answer['n']} of ${statements.length} documents`);
}

/** The indexes that expire nothing, or those that do; `_id` has its own from the start. */
export async function makeIndexes(
  db: Db,
  name: string,
  { name: collection, indexes }: CollectionMetadata,
  which: 'lasting' | 'expiring',
): Promise<void> {
  const specs = indexes.filter((index) => !isIdIndex(index) && expires(index) === (which === 'expiring'));
  if (specs.length === 0) return;
  await asked(db, collection, { createIndexes: name, indexes: specs.map(creatableIndex), ...DURABLE });
}

/** Version 2 is what every server makes by itself; not every one takes the word for it. */
function creatableIndex(index: IndexSpec): Document {
  return Object.fromEntries(
    Object.entries(index).filter(([option, value]) => option !== 'v' || Number(value) !== 2),
  );
}

export const isIdIndex = ({ key }: IndexSpec): boolean => Object.keys(key).join() === '_id';

async function asked(db: Db, collection: string, command: Document): Promise<Document> {
  try {
    return await db.command(command);
  } catch (error) {
    if (error instanceof MongoServerError) throw refused(collection, error.message, error);
    throw error;
  }
}

function refused(collection: string, reason: string, cause?: unknown): DrError {
  return new DrError(
    'DATA_UNPROVEN',
    { what: `collection ${collection}`, expected: 'the server takes it as it was backed up', actual: reason },
    { cause },
  );
}
