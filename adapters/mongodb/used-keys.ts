import type { UsedKey } from '../../domain/lost-items.ts';
import { listCollections, withDatabase, type MongoEndpoint } from './client.ts';

/** Keys with which clients were let in, by the records of the pumps `mongo` and `mongo-pump-selective`. */

const QUERY_MS = 10_000;
const MOST_KEYS = 2_000;

/** @param since UTC ISO; newest use first */
export function readUsedKeys(
  endpoint: MongoEndpoint,
  organisation: string,
  since: string,
): Promise<UsedKey[]> {
  return withDatabase(endpoint, async (db) => {
    const present = (await listCollections(db)).map(({ name }) => name);
    const own = ['tyk_analytics', `z_tyk_analyticz_${organisation}`].filter((name) => present.includes(name));
    const found = await Promise.all(
      own.map((name) =>
        db
          .collection(name)
          .aggregate<{ _id: string; alias?: string; api?: string; last: Date }>(
            [
              {
                $match: {
                  timestamp: { $gt: new Date(since) },
                  responsecode: { $lt: 400 },
                  apikey: { $ne: '' },
                },
              },
              {
                $group: {
                  _id: '$apikey',
                  alias: { $max: '$alias' },
                  api: { $max: '$apiname' },
                  last: { $max: '$timestamp' },
                },
              },
              { $sort: { last: -1 } },
              { $limit: MOST_KEYS },
            ],
            { maxTimeMS: QUERY_MS },
          )
          .toArray(),
      ),
    );
    return found.flat().map(({ _id, alias = '', api = '', last }) => ({
      ...{ key: String(_id), alias: alias ?? '', api: api ?? '' },
      last: new Date(last).toISOString(),
    }));
  });
}
