import type { Client } from '../../adapters/postgres/client.ts';
import { createIndexes, createTables } from '../dashboard/schema.ts';
import { ORGANISATIONS, type Definitions, type Scale } from './definitions.ts';
import { stableId } from './random.ts';

/** Makes and fills the Dashboard's tables. Analytics rows are made by the server itself, from their number and the seed. */

export async function seedDatabase(
  client: Client,
  seed: number,
  scale: Scale,
  definitions: Definitions,
  accessKey: string,
): Promise<void> {
  // In the transaction that makes the tables, so that a server with wal_level minimal writes no WAL for the rows.
  await client.query('BEGIN');
  await createTables(client);
  await insertDefinitions(client, definitions);
  for (const [index, id] of ORGANISATIONS.entries()) {
    await client.query(
      'INSERT INTO tyk_organisations (id, owner_name, cname, org_data) VALUES ($1, $2, $3, $4)',
      [id, `Organisation ${index}`, `org${index}.example`, { seed }],
    );
  }
  await client.query(
    'INSERT INTO tyk_analytics_users (id, org_id, email_address, access_key, active, user_permissions) VALUES ($1, $2, $3, $4, true, $5)',
    [stableId(seed, 'user', 24), ORGANISATIONS[0], 'platform@example.org', accessKey, { IsAdmin: 'admin' }],
  );
  await seedPortal(client, seed);
  await seedAnalytics(client, seed, scale, definitions.apis.length);
  await createIndexes(client);
  await client.query('COMMIT');
  // As in a database that has lived for a while: else the first readers and autovacuum would write all of it into WAL.
  await client.query('VACUUM (FREEZE, ANALYZE)');
}

/** Makes or replaces them. */
export async function insertDefinitions(client: Client, { apis, policies }: Definitions): Promise<void> {
  await insertJson(
    client,
    `INSERT INTO tyk_apis (id, api_id, org_id, name, listen_path, active, api_definition, oas)
     SELECT d->>'id', d->>'api_id', d->>'org_id', d->>'name', d->'proxy'->>'listen_path', (d->>'active')::boolean, d,
            nullif(e->'oas', 'null'::jsonb)
       FROM jsonb_array_elements($1::jsonb) e, LATERAL (SELECT e->'api_definition') x(d)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, listen_path = excluded.listen_path, active = excluded.active,
            api_definition = excluded.api_definition, oas = excluded.oas, updated_at = now()`,
    apis,
  );
  await insertJson(
    client,
    `INSERT INTO tyk_policies (id, org_id, name, policy)
     SELECT p->>'id', p->>'org_id', p->>'name', p FROM jsonb_array_elements($1::jsonb) p
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, policy = excluded.policy`,
    policies,
  );
}

const PORTAL = ['catalogue', 'configurations', 'css', 'developers', 'key_requests', 'menus', 'pages'];

async function seedPortal(client: Client, seed: number): Promise<void> {
  for (const table of PORTAL) {
    const rows = Array.from({ length: 12 }, (_, index) => ({
      id: stableId(seed, `${table} ${index}`, 24),
      data: { title: `${table} ${index}`, body: `<p>${stableId(seed, `${table} body ${index}`, 32)}</p>` },
    }));
    await insertJson(
      client,
      `INSERT INTO portal_${table} (id, org_id, data) SELECT r->>'id', '${ORGANISATIONS[0]}', r->'data' FROM jsonb_array_elements($1::jsonb) r`,
      rows,
    );
  }
}

async function seedAnalytics(client: Client, seed: number, scale: Scale, apis: number): Promise<void> {
  await client.query(
    `INSERT INTO tyk_analytics (method, host, path, rawpath, contentlength, useragent, day, month, year, hour, responsecode, apikey,
                                timestamp, apiversion, apiname, apiid, orgid, oauthid, requesttime, ipaddress, tags, alias, trackpath)
     SELECT (ARRAY['GET', 'POST', 'PUT'])[1 + n % 3], 'api.example.org', '/orders/' || n % 977, '/orders/' || n % 977, n % 4096,
            'client/' || n % 31, extract(day FROM t), extract(month FROM t), extract(year FROM t), extract(hour FROM t),
            CASE WHEN n % 50 = 0 THEN 500 WHEN n % 20 = 0 THEN 403 ELSE 200 END, md5($1 || '/' || n % 20000), t, 'Default',
            'API ' || n % $3, md5($1 || '/api/' || n % $3), $4, '', 5 + n % 300, '10.1.' || n % 250 || '.' || n % 240,
            'tag-' || n % 12, '', false
       FROM generate_series(1, $2::int) n, LATERAL (SELECT timestamptz '2026-01-01 00:00:00+00' + n * interval '7 seconds') x(t)`,
    [String(seed), scale.analyticsRows, apis, ORGANISATIONS[0]],
  );
  await client.query(
    `INSERT INTO tyk_aggregated (id, timestamp, org_id, dimension, dimension_value, hits, success, error, last_time)
     SELECT md5(orgid || apiid || date_trunc('hour', timestamp)::text), date_trunc('hour', timestamp), orgid, 'apiid', apiid, count(*),
            count(*) FILTER (WHERE responsecode < 400), count(*) FILTER (WHERE responsecode >= 400), max(timestamp)
       FROM tyk_analytics GROUP BY orgid, apiid, date_trunc('hour', timestamp)`,
  );
}

/** In slices: a parameter of a gigabyte helps nobody. */
async function insertJson(client: Client, sql: string, rows: readonly unknown[]): Promise<void> {
  for (let from = 0; from < rows.length; from += 500)
    await client.query(sql, [JSON.stringify(rows.slice(from, from + 500))]);
}
