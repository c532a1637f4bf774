import type { Client } from 'pg';

/** The Dashboard's tables, under Tyk's own names. Columns as far as they are public; definitions as JSON. */

const PORTAL = ['catalogue', 'configurations', 'css', 'developers', 'key_requests', 'menus', 'pages'];

const TABLES = [
  `tyk_apis (id text PRIMARY KEY, api_id text NOT NULL UNIQUE, org_id text NOT NULL, name text, listen_path text, active boolean,
     api_definition jsonb NOT NULL, oas jsonb, updated_at timestamptz DEFAULT now())`,
  'tyk_policies (id text PRIMARY KEY, org_id text NOT NULL, name text, policy jsonb NOT NULL)',
  'tyk_organisations (id text PRIMARY KEY, owner_name text, cname text, org_data jsonb)',
  `tyk_analytics_users (id text PRIMARY KEY, org_id text, email_address text, access_key text UNIQUE, active boolean,
     user_permissions jsonb)`,
  ...PORTAL.map((name) => `portal_${name} (id text PRIMARY KEY, org_id text, data jsonb)`),
  `tyk_analytics (id bigserial PRIMARY KEY, method text, host text, path text, rawpath text, contentlength bigint, useragent text,
     day int, month int, year int, hour int, responsecode int, apikey text, timestamp timestamptz, apiversion text, apiname text,
     apiid text, orgid text, oauthid text, requesttime bigint, ipaddress text, tags text, alias text, trackpath boolean,
     expireat timestamptz)`,
  `tyk_aggregated (id text PRIMARY KEY, timestamp timestamptz, org_id text, dimension text, dimension_value text, hits bigint,
     success bigint, error bigint, last_time timestamptz)`,
];

const ANALYTICS_INDEXES = ['timestamp', 'apiid', 'orgid', 'apikey', 'responsecode'];

/** Makes what is missing. */
export async function createTables(client: Client): Promise<void> {
  for (const table of TABLES) await client.query(`CREATE TABLE IF NOT EXISTS ${table}`);
}

/** Apart from the tables: an index over rows that are there is made several times faster than row by row. */
export async function createIndexes(client: Client): Promise<void> {
  for (const column of ANALYTICS_INDEXES) {
    await client.query(`CREATE INDEX IF NOT EXISTS tyk_analytics_${column} ON tyk_analytics (${column})`);
  }
}
