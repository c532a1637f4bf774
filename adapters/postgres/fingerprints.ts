import type { Fingerprint } from '../../domain/abandoned.ts';
import { BEACON_SCHEMA } from './schema-queries.ts';
import type { Client } from './client.ts';

/** Rows by their primary keys: what one database has and another has not. */

export interface Table {
  /** As SQL names it. */
  readonly name: string;
  readonly columns: readonly string[];
  /** By the statistics, or 0. */
  readonly rows: number;
}

/** Tables of users with a primary key. */
export async function keyedTables(client: Client): Promise<Table[]> {
  const { rows } = await client.query<{ name: string; columns: string[]; rows: string }>(`
    SELECT c.oid::regclass::text AS name, greatest(c.reltuples, 0)::bigint::text AS rows,
           array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
     WHERE i.indisprimary AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '${BEACON_SCHEMA}')
     GROUP BY c.oid, c.reltuples ORDER BY 1`);
  return rows.map(({ name, columns, rows: count }) => ({ name, columns, rows: Number(count) }));
}

export async function fingerprints(
  client: Client,
  { name, columns }: Table,
): Promise<Map<string, Fingerprint>> {
  const { rows } = await client.query<{ key: string; digest: string }>(
    `SELECT concat_ws(' ', ${columns.map((column) => `t.${column}::text`).join(', ')}) AS key, md5(t::text) AS digest
       FROM ${name} t`,
  );
  return new Map(rows.map(({ key, digest }) => [key, { name: key, digest }]));
}
