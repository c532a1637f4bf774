import { queryValue, withClient as withPostgres } from '../adapters/postgres/client.ts';
import { countRows } from '../adapters/postgres/proof.ts';
import { withClient as withRedis } from '../adapters/redis/client.ts';
import { DrError } from '../domain/errors.ts';
import { type Lab, type SiteName } from '../lab/layout.ts';
import { redisOf, superuserOf } from '../lab/connections.ts';

/** What the source held when it was backed up. Every way of recovering is held to the same figures. */

export interface Truth {
  readonly keys: number;
  /** Of them, those that never expire. */
  readonly lasting: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly databaseBytes: number;
}

export async function readTruth(lab: Lab, site: SiteName): Promise<Truth> {
  const { rows, databaseBytes } = await withPostgres(await superuserOf(lab, site), async (client) => ({
    rows: await countRows(client),
    databaseBytes: Number(await queryValue(client, 'SELECT pg_database_size(current_database())')),
  }));
  return { ...(await countKeys(lab, site)), rows, databaseBytes };
}

async function countKeys(lab: Lab, site: SiteName): Promise<Pick<Truth, 'keys' | 'lasting'>> {
  const keyspace = await withRedis(await redisOf(lab, site), (client) => client.info('keyspace'));
  const [, keys, expires] = /^db0:keys=(\d+),expires=(\d+)/m.exec(keyspace) ?? [];
  return { keys: Number(keys ?? 0), lasting: Number(keys ?? 0) - Number(expires ?? 0) };
}

/** Rate limits and quotas of the lab's clients run out while the bench runs; nothing else that expires does. */
const MAY_EXPIRE = 100;

/**
 * Every row and every key is there. More may be: proofs that have run since made analytics and counters.
 *
 * @throws DrError DATA_UNPROVEN
 */
export async function requireComplete(lab: Lab, truth: Truth): Promise<void> {
  const found = await readTruth(lab, 'dr');
  for (const [table, rows] of Object.entries(truth.rows)) {
    const actual = found.rows[table] ?? 0;
    if (actual < rows)
      throw new DrError('DATA_UNPROVEN', { what: `rows of ${table}`, expected: rows, actual });
  }
  if (found.lasting < truth.lasting || found.keys < truth.keys - MAY_EXPIRE)
    throw new DrError('DATA_UNPROVEN', { what: 'Redis keys', expected: truth.keys, actual: found.keys });
}
