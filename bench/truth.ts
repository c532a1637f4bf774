import { queryValue, withClient as withPostgres } from '../adapters/postgres/client.ts';
import { countRows } from '../adapters/postgres/proof.ts';
import { withClient as withRedis } from '../adapters/redis/client.ts';
import { DrError } from '../domain/errors.ts';
import { type Lab, type SiteName } from '../lab/layout.ts';
import { redisOf, superuserOf } from '../lab/connections.ts';

/** What the source held when it was backed up. Every way of recovering is held to the same figures. */

export interface Truth {
  readonly keys: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly databaseBytes: number;
}

export async function readTruth(lab: Lab, site: SiteName): Promise<Truth> {
  const { rows, databaseBytes } = await withPostgres(await superuserOf(lab, site), async (client) => ({
    rows: await countRows(client),
    databaseBytes: Number(await queryValue(client, 'SELECT pg_database_size(current_database())')),
  }));
  return {
    keys: await withRedis(await redisOf(lab, site), (client) => client.dbsize()),
    rows,
    databaseBytes,
  };
}

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
  if (found.keys < truth.keys)
    throw new DrError('DATA_UNPROVEN', { what: 'Redis keys', expected: truth.keys, actual: found.keys });
}
