import type { Table } from './sink.ts';

const COLUMNS = `method, host, path, rawpath, contentlength, useragent, day, month, year, hour, responsecode, apikey,
  timestamp, apiversion, apiname, apiid, orgid, oauthid, requesttime, ipaddress, tags, alias, trackpath, expireat`;

const INDEXED = ['timestamp', 'apiid', 'orgid', 'apikey', 'responsecode'];

/** The `sql` pump: one row a request. */
export const RECORDS: Table = {
  name: 'tyk_analytics',
  create: [
    `CREATE TABLE tyk_analytics (
       id bigserial PRIMARY KEY, method text, host text, path text, rawpath text, contentlength bigint,
       useragent text, day integer, month integer, year integer, hour integer, responsecode integer, apikey text,
       timestamp timestamptz, apiversion text, apiname text, apiid text, orgid text, oauthid text,
       requesttime bigint, ipaddress text, tags text, alias text, trackpath boolean, expireat timestamptz)`,
    ...INDEXED.map((column) => `CREATE INDEX tyk_analytics_${column} ON tyk_analytics (${column})`),
  ],
  // Through the table's own row type, so that the types are those of whoever made it.
  write: `INSERT INTO tyk_analytics (${COLUMNS})
          SELECT ${COLUMNS} FROM jsonb_populate_recordset(NULL::tyk_analytics, $1::jsonb)`,
};

/** The `sql_aggregate` pump: one row for each hour, organisation and API. */
export const AGGREGATES: Table = {
  name: 'tyk_aggregated',
  create: [
    `CREATE TABLE tyk_aggregated (
       id text PRIMARY KEY, timestamp timestamptz, org_id text, dimension text, dimension_value text,
       hits bigint, success bigint, error bigint, last_time timestamptz)`,
    'CREATE INDEX tyk_aggregated_dimension ON tyk_aggregated (org_id, dimension, timestamp)',
  ],
  // In the order of the ids, so that two Pumps never wait for each other.
  write: `INSERT INTO tyk_aggregated AS old
            (id, timestamp, org_id, dimension, dimension_value, hits, success, error, last_time)
          SELECT md5(orgid || apiid || date_trunc('hour', timestamp)::text) AS id, date_trunc('hour', timestamp), orgid,
                 'apiid', apiid, count(*), count(*) FILTER (WHERE responsecode < 400),
                 count(*) FILTER (WHERE responsecode >= 400), max(timestamp)
            FROM jsonb_to_recordset($1::jsonb) AS r(orgid text, apiid text, timestamp timestamptz, responsecode integer)
           GROUP BY orgid, apiid, date_trunc('hour', timestamp)
           ORDER BY id
          ON CONFLICT (id) DO UPDATE
             SET hits = old.hits + excluded.hits, success = old.success + excluded.success,
                 error = old.error + excluded.error, last_time = greatest(old.last_time, excluded.last_time)`,
};
