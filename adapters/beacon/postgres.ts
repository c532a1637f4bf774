import { cancelQuery, connect, withClient, type Connection } from '../postgres/client.ts';
import { BEACON_SCHEMA } from '../postgres/schema-queries.ts';
import type { Marks } from './marks.ts';

/** Watermarks in PostgreSQL: a table in a schema of our own, with the newest numbers of some hours. */

const TABLE = `${BEACON_SCHEMA}.beacon`;
const TRIM_EVERY = 300;
/** Also where the server would wait longer: a lock that is not given ends the connection, and is a gap. */
const STATEMENT_MS = 5_000;

/**
 * @param owner of what is made: the user of Tyk, who exists wherever a dump is restored; a superuser may have another name.
 * @throws DrError STORE_UNREACHABLE; errors of the server where the user may not make a schema
 */
export async function openPostgresMarks(
  connection: Connection,
  owner: string,
  keepSeconds: number,
): Promise<Marks> {
  const client = await connect(connection);
  let asking = 0;
  const ask = async (text: string, values: unknown[] = []) => {
    asking += 1;
    const answer = await client.query({ text, values, query_timeout: STATEMENT_MS } as {
      text: string;
      values: unknown[];
    });
    asking -= 1;
    return answer;
  };
  const leave = (): void => {
    // A commit that waits for a standby ends with no timeout, and sees no client go: left alone, one after the other
    // would take every connection of the server.
    if (asking > 0) void cancelQuery(connection, client);
    void client.end().catch(() => undefined);
  };
  try {
    await ask(`SET statement_timeout = ${STATEMENT_MS}`);
    // Asked first: making what is there needs a right that the owner of the table alone has.
    const { rows } = await ask('SELECT to_regclass($1) IS NOT NULL AS there', [TABLE]);
    if (!(rows[0] as { there: boolean }).there) {
      const role = client.escapeIdentifier(owner);
      await ask(`CREATE SCHEMA IF NOT EXISTS ${BEACON_SCHEMA} AUTHORIZATION ${role}`);
      await ask(`CREATE TABLE IF NOT EXISTS ${TABLE} (number bigint PRIMARY KEY)`);
      await ask(`ALTER TABLE ${TABLE} OWNER TO ${role}`);
    }
  } catch (error) {
    leave();
    throw error;
  }
  let written = 0;
  return {
    async write(number) {
      await ask(`INSERT INTO ${TABLE} (number) VALUES ($1) ON CONFLICT DO NOTHING`, [number]);
      written += 1;
      if (written % TRIM_EVERY === 1)
        await ask(`DELETE FROM ${TABLE} WHERE number < $1`, [number - keepSeconds]);
    },
    close: leave,
  };
}

/** In any order; empty where there is no watermark. */
export function readPostgresMarks(connection: Connection): Promise<number[]> {
  return withClient(connection, async (client) => {
    const { rows } = await client.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [
      TABLE,
    ]);
    if (!rows[0]!.there) return [];
    const found = await client.query<[string]>({ text: `SELECT number FROM ${TABLE}`, rowMode: 'array' });
    return found.rows.map(([number]) => Number(number));
  });
}

/** Takes them away, as in a store that nobody has marked. */
export async function forgetPostgresMarks(connection: Connection): Promise<void> {
  await withClient(connection, (client) => client.query(`DROP TABLE IF EXISTS ${TABLE}`));
}
