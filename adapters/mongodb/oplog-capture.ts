import { MongoServerError, Timestamp, type Db, type Document, type FindCursor } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import { isoOf, timeOf, type OplogTime } from './oplog.ts';

/**
 * The oplog of a replica set while a dump is taken: raw, as mongodump's own `oplog.bson` has it. With it a dump is of
 * one moment, its end, whatever was written meanwhile.
 */

const BATCH_DOCUMENTS = 1_000;
/** What a majority has is not taken back by the next primary. */
const SETTLED = { readConcern: { level: 'majority' } } as const;

/** Where the log stood, or why there is none. */
export type OplogStart = { readonly from: OplogTime } | { readonly none: string };

/** Ask before the first collection is read. */
export async function markOplog(db: Db): Promise<OplogStart> {
  const hello = await db.command({ hello: 1 });
  if (hello['msg'] === 'isdbgrid') return { none: 'a sharded cluster has one for each shard' };
  if (typeof hello['setName'] !== 'string') return { none: 'the server is no member of a replica set' };
  try {
    const from = await edge(db, -1);
    return from ? { from } : { none: 'local.oplog.rs is empty' };
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error;
    return { none: `local.oplog.rs cannot be read: ${error.message}` };
  }
}

/** @param direction 1: the oldest entry; -1: the newest. */
async function edge(db: Db, direction: 1 | -1): Promise<OplogTime | undefined> {
  const [entry] = await log(db)
    .find<Buffer>({}, { ...RAW, ...SETTLED, sort: { $natural: direction }, limit: 1 })
    .toArray();
  return entry && timeOf(entry);
}

const RAW = { raw: true } as unknown as Document;
const log = (db: Db) => db.client.db('local').collection('oplog.rs');

/**
 * What was written to a database since the mark, up to now.
 *
 * @throws (through the entries) DrError OPLOG_LOST where the log does not reach back any more.
 */
export async function readOplog(
  db: Db,
  from: OplogTime,
  signal?: AbortSignal,
): Promise<{ to: OplogTime; entries: AsyncGenerator<Buffer> }> {
  const to = (await edge(db, -1)) ?? from;
  return { to, entries: entriesOf(db, from, to, signal) };
}

async function* entriesOf(
  db: Db,
  from: OplogTime,
  to: OplogTime,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const inside = db.databaseName.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const cursor = log(db).find(
    {
      ts: { $gt: new Timestamp(from), $lte: new Timestamp(to) },
      // Transactions are entries of `admin`, whatever they touch.
      $or: [{ ns: new RegExp(`^${inside}\\.`) }, { ns: 'admin.$cmd' }],
    },
    { ...RAW, ...SETTLED, sort: { $natural: 1 }, batchSize: BATCH_DOCUMENTS },
  ) as unknown as FindCursor<Buffer>;
  try {
    for await (const entry of cursor) {
      signal?.throwIfAborted();
      yield entry;
    }
  } catch (error) {
    // The log has been written over at the place where we read.
    if (error instanceof MongoServerError && error.codeName === 'CappedPositionLost')
      throw new DrError('OPLOG_LOST', { reason: error.message }, { cause: error });
    throw error;
  } finally {
    await cursor.close();
  }
  const oldest = await edge(db, 1);
  if (oldest === undefined || isLater(oldest, from))
    throw new DrError('OPLOG_LOST', {
      reason: `its oldest entry is of ${oldest ? isoOf(oldest) : 'no time'}, the dump began at ${isoOf(from)}`,
    });
}

const isLater = (one: OplogTime, other: OplogTime): boolean =>
  one.t > other.t || (one.t === other.t && one.i > other.i);
