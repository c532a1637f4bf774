import { withClient, type Connection } from '../../adapters/postgres/client.ts';
import { countRows } from '../../adapters/postgres/proof.ts';
import type { PostgresConfig, Site } from '../../domain/config.ts';
import { isObject, type Json } from '../../domain/json.ts';
import type { StepResult } from '../../domain/run.ts';
import type { Definitions } from '../../domain/versioned.ts';
import { databaseConnection } from '../endpoints.ts';
import type { Call } from '../guard.ts';
import { proof, requireProofs } from '../proofs.ts';
import type { ControlIds, ScratchDatabase, SiteDoor } from './method.ts';

/** A running PostgreSQL as the Dashboard and the Pump see it, however it was restored. */

/** What the Dashboard serves from: no recovery may find them smaller than the set's. */
export const CONTROL_TABLES = ['tyk_apis', 'tyk_policies', 'tyk_organisations', 'tyk_analytics_users'].map(
  (table) => `public.${table}`,
);

export async function prove(call: Call): Promise<StepResult> {
  // Every row was counted before the switch; this is about the door.
  const rows = await withClient(await dashboardsDoor(postgresOf(call.target), call), (client) =>
    countRows(client, CONTROL_TABLES),
  );
  const apis = rows['public.tyk_apis'] ?? 0;
  const proofs = [proof('the Dashboard’s user reads its tables', apis > 0, 'at least 1 API', apis)];
  requireProofs(proofs);
  return {
    summary: `${sum(rows)} rows in ${Object.keys(rows).length} control tables, ${apis} APIs, read as ${call.target.database!.user}`,
    proofs,
  };
}

export async function controlIds(call: Call): Promise<ControlIds> {
  const { organisation } = call.deployment;
  return withClient(await dashboardsDoor(postgresOf(call.target), call), async (client) => {
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

/** In the one table or in those of single days. */
export async function countAnalytics(call: Call, userAgent: string): Promise<number> {
  return withClient(await dashboardsDoor(postgresOf(call.target), call), async (client) => {
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

export async function definitions(door: SiteDoor): Promise<Definitions> {
  return readDefinitions(await dashboardsDoor(postgresOf(door.site), door));
}

export function readDefinitions(connection: Connection): Promise<Definitions> {
  return withClient(connection, async (client) => {
    const rows = async (table: string): Promise<Json[]> => {
      const { rows: found } = await client.query<{ row: Json }>(`SELECT to_jsonb(t) AS row FROM ${table} t`);
      return found.map(({ row }) => row);
    };
    return {
      apis: (await rows('tyk_apis')).map(apiOf),
      policies: (await rows('tyk_policies')).map(policyOf),
    };
  });
}

/** A scratch server as a proof uses it. */
export async function scratchDatabase(connection: Connection): Promise<ScratchDatabase> {
  const { host, port, user, database } = connection;
  return {
    definitions: await readDefinitions(connection),
    door: { host, port, user, name: database },
  };
}

/** The definition and its OpenAPI document; the other columns repeat what is in them, or are times. */
function apiOf(row: Json): Json {
  if (!isObject(row) || !isObject(row['api_definition'])) return row;
  const { api_definition, oas } = row;
  return isObject(oas) ? { api_definition, oas } : { api_definition };
}

function policyOf(row: Json): Json {
  return isObject(row) && isObject(row['policy']) ? row['policy'] : row;
}

export async function ping(door: SiteDoor): Promise<void> {
  await withClient(await dashboardsDoor(postgresOf(door.site), door), (client) => client.query('SELECT 1'));
}

export function sum(rows: Readonly<Record<string, number>>): number {
  return Object.values(rows).reduce((total, count) => total + count, 0);
}

function postgresOf({ database }: Site): PostgresConfig {
  if (database?.kind === 'postgresql') return database;
  throw new Error('a PostgreSQL is asked that the site does not have');
}

function dashboardsDoor(config: PostgresConfig, { secret }: Pick<Call, 'secret'>): Promise<Connection> {
  return databaseConnection(config, secret);
}
