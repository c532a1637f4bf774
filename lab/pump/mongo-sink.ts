import { createHash } from 'node:crypto';
import { MongoClient, type Db } from 'mongodb';
import type { Secret } from '../../domain/secret.ts';
import { log, reasonOf } from '../gateway/log.ts';
import type { AnalyticsRecord } from '../tyk/analytics-record.ts';
import { toRow } from './row.ts';
import type { Sink } from './sink.ts';

/** A server that accepts and never answers must not hold the Pump for longer than this. */
const TIMEOUT_MS = 5000;

export const RECORDS = 'tyk_analytics';
export const AGGREGATES = 'tyk_analytics_aggregates';

/** The indexes that a real Pump makes of `tyk_analytics`. */
export const RECORD_INDEXES = [
  { key: { apiid: 1 }, name: 'apiid_1' },
  { key: { orgid: 1 }, name: 'orgid_1' },
  { key: { timestamp: -1, orgid: 1, apiid: 1, apikey: 1, responsecode: 1 }, name: 'logBrowserIndex' },
];

/** The pumps `mongo`, one document a request, and `mongo-pump-aggregate`, one for each hour, organisation and API. */
export class MongoSink implements Sink {
  readonly #client: MongoClient;
  readonly #kind: 'records' | 'aggregates';

  constructor(url: Secret, kind: 'records' | 'aggregates') {
    this.#client = new MongoClient(url.reveal(), {
      directConnection: true,
      serverSelectionTimeoutMS: TIMEOUT_MS,
      socketTimeoutMS: TIMEOUT_MS,
    });
    this.#kind = kind;
  }

  async open(): Promise<void> {
    await this.#tried(async (db) => {
      if (this.#kind === 'aggregates') return;
      // A collection that is there is left as it is, its missing indexes too: what a real Pump does after a restore.
      if ((await db.listCollections({ name: RECORDS }).toArray()).length === 0)
        await db.collection(RECORDS).createIndexes(RECORD_INDEXES);
    });
  }

  async write(records: readonly AnalyticsRecord[]): Promise<void> {
    await this.#tried(async (db) => {
      if (this.#kind === 'records') await db.collection(RECORDS).insertMany(records.map(toDocument));
      else for (const record of records) await addUp(db, record);
    }, records.length);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #tried(work: (db: Db) => Promise<void>, records = 0): Promise<void> {
    try {
      await work(this.#client.db());
    } catch (error) {
      log('error', `${records} records are not in the ${this.#kind} of MongoDB: ${reasonOf(error)}`);
    }
  }
}

/** Under the names of the fields that a real Pump writes; times are dates. */
export function toDocument(record: AnalyticsRecord): Record<string, unknown> {
  return { ...toRow(record), timestamp: record.TimeStamp, tags: record.Tags, expireAt: record.ExpireAt };
}

async function addUp(db: Db, { OrgID, APIID, TimeStamp, ResponseCode }: AnalyticsRecord): Promise<void> {
  const hour = new Date(Math.floor(TimeStamp.getTime() / 3_600_000) * 3_600_000);
  const failed = ResponseCode >= 400;
  await db.collection<{ _id: string }>(AGGREGATES).updateOne(
    { _id: createHash('md5').update(`${OrgID}${APIID}${hour.toISOString()}`).digest('hex') },
    {
      $set: {
        orgid: OrgID,
        timestamp: hour,
        dimension: 'apiid',
        dimension_value: APIID,
        last_time: TimeStamp,
      },
      $inc: { hits: 1, success: failed ? 0 : 1, error: failed ? 1 : 0 },
    },
    { upsert: true },
  );
}
