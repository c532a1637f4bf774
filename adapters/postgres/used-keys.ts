import type { UsedKey } from '../../domain/lost-items.ts';
import { withClient, type Connection } from './client.ts';

/** Keys with which clients were let in, by the Pump's records; in the one table or in those of single days. */

/** Nobody may wait long for it: the recovery goes on meanwhile. */
const STATEMENT_MS = 10_000;
/** More are not looked up in Redis. */
export const MOST_KEYS = 2_000;

/** @param since UTC ISO; newest use first */
export function readUsedKeys(connection: Connection, since: string): Promise<UsedKey[]> {
  return withClient(connection, async (client) => {
    await client.query(`SET statement_timeout = ${STATEMENT_MS}`);
    const day = since.slice(0, 10).replaceAll('-', '');
    const tables = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND (c.relname = 'tyk_analytics'
           OR (c.relname ~ '^tyk_analytics_\\d{8}$' AND right(c.relname, 8) >= $1))`,
      [day],
    );
    const found: UsedKey[] = [];
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ key: string; alias: string; api: string; last: Date }>(
        `SELECT apikey AS key, max(alias) AS alias, max(apiname) AS api, max(timestamp) AS last FROM ${name}
          WHERE timestamp > $1 AND responsecode < 400 AND apikey <> '' GROUP BY apikey ORDER BY 4 DESC LIMIT ${MOST_KEYS}`,
        [since],
      );
      found.push(
        ...rows.map(({ key, alias, api, last }) => ({
          key,
          alias: alias ?? '',
          api: api ?? '',
          last: last.toISOString(),
        })),
      );
    }
    return found;
  });
}
