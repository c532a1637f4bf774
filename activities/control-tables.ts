import { withClient } from '../adapters/postgres/client.ts';
import { databaseConnection } from './endpoints.ts';
import type { Call } from './guard.ts';

/** What the proofs ask the database itself, to hold the Dashboard's and the Pump's answers against. */

export interface ControlIds {
  readonly apiIds: readonly string[];
  readonly policyIds: readonly string[];
}

/** Ids of the organisation's APIs and policies, sorted. */
export async function controlIds(call: Call): Promise<ControlIds> {
  const { organisation } = call.deployment;
  return withClient(await connectionOf(call), async (client) => {
    const apis = await client.query<{ id: string }>('SELECT api_id AS id FROM tyk_apis WHERE org_id = $1', [
      organisation,
    ]);
    const policies = await client.query<{ id: string }>('SELECT id FROM tyk_policies WHERE org_id = $1', [
      organisation,
    ]);
    return {
      apiIds: apis.rows.map(({ id }) => id).sort(),
      policyIds: policies.rows.map(({ id }) => id).sort(),
    };
  });
}

/** Analytics rows of requests with this user agent, in the one table or in those of single days. */
export async function countAnalytics(call: Call, userAgent: string): Promise<number> {
  return withClient(await connectionOf(call), async (client) => {
    const tables = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relname ~ '^tyk_analytics(_\\d{8})?$'`,
    );
    let count = 0;
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ count: string }>(
        `SELECT count(*) FROM ${name} WHERE useragent = $1`,
        [userAgent],
      );
      count += Number(rows[0]!.count);
    }
    return count;
  });
}

async function connectionOf({ target, secret }: Call) {
  if (!target.database) throw new Error('the plan asks a database that the site does not have');
  return databaseConnection(target.database, secret);
}
