import { connect, withDatabase, type MongoEndpoint } from '../mongodb/client.ts';
import type { Marks } from './marks.ts';

/** Watermarks in MongoDB: a collection of our own, with the newest numbers of some hours. It is backed up with the rest. */

const COLLECTION = 'tyk_dr_beacon';
const TRIM_EVERY = 300;
const DUPLICATE = 11_000;

interface Mark {
  readonly _id: number;
}

/** @throws DrError STORE_UNREACHABLE */
export async function openMongoMarks(endpoint: MongoEndpoint, keepSeconds: number): Promise<Marks> {
  const client = await connect(endpoint);
  const collection = client.db(endpoint.database).collection<Mark>(COLLECTION);
  let written = 0;
  return {
    async write(number) {
      await collection.insertOne({ _id: number }).catch((error: unknown) => {
        // Another beacon was quicker with the same number: it is there.
        if ((error as { code?: unknown }).code !== DUPLICATE) throw error;
      });
      written += 1;
      if (written % TRIM_EVERY === 1) await collection.deleteMany({ _id: { $lt: number - keepSeconds } });
    },
    close: () => void client.close(true).catch(() => undefined),
  };
}

/** In any order; empty where there is no watermark. */
export function readMongoMarks(endpoint: MongoEndpoint): Promise<number[]> {
  return withDatabase(endpoint, async (db) => {
    const found = await db
      .collection<Mark>(COLLECTION)
      .find({}, { projection: { _id: 1 } })
      .toArray();
    return found.map(({ _id }) => Number(_id)).filter(Number.isSafeInteger);
  });
}

/** Takes them away, as in a store that nobody has marked. */
export async function forgetMongoMarks(endpoint: MongoEndpoint): Promise<void> {
  await withDatabase(endpoint, (db) => db.collection<Mark>(COLLECTION).deleteMany({}));
}
