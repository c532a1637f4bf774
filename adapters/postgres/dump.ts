import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DumpFacts } from '../../domain/manifest.ts';
import { run } from '../process/run.ts';
import { queryValue, withClient, type Client, type Connection } from './client.ts';
import { databaseFacts } from './proof.ts';
import { identifier } from './quote.ts';
import { libpq } from './tools.ts';

/**
 * A logical backup with pg_dump, in directory format and in two sets: `control` is the whole schema and all rows but
 * those of the analytics tables, `analytics` is these rows. Both, and what is counted, are of one snapshot.
 */

const DUMP_TIMEOUT_MS = 24 * 3_600_000;
/** A table that somebody is altering is waited for so long; then the backup fails rather than holding up the site. */
const LOCK_WAIT = '60s';

/**
 * Tyk Pump's tables, whole or one a day, and partitions of them. `tyk_analytics_users` are the Dashboard's users: not
 * among them. A table that is not recognised goes into `control`: nothing is left out.
 */
const ANALYTICS =
  '^tyk_(analytics|aggregated|uptime_analytics|analytics_graph|graph_aggregated)(_[0-9]{8})?$';

export interface DumpRequest {
  readonly binDir: string;
  /** Somebody who may read everything in the database that the connection names. */
  readonly admin: Connection;
  readonly jobs: number;
  /** Empty; `control` and, where there are analytics tables, `analytics` are made in it. */
  readonly folder: string;
  readonly lockFile: string;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** @throws DrError TOOL_FAILED, TOOL_MISSING, STORE_UNREACHABLE */
export async function takeDump(request: DumpRequest): Promise<DumpFacts> {
  await mkdir(request.folder, { recursive: true, mode: 0o700 });
  return withClient(request.admin, async (client) => {
    // The snapshot lives as long as this transaction: no setting of the server may end it early.
    await client.query('SET idle_in_transaction_session_timeout = 0');
    await client.query('SET statement_timeout = 0');
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const snapshot = await queryValue<string>(client, 'SELECT pg_export_snapshot()');
    const facts = await describe(client);
    const tables = facts.analyticsTables;
    const dumps = [
      dump(request, 'control', [`--snapshot=${snapshot}`, ...tables.map((t) => `--exclude-table-data=${t}`)]),
      ...(tables.length === 0
        ? []
        : [
            dump(request, 'analytics', [
              ...[`--snapshot=${snapshot}`, '--data-only'],
              ...tables.map((table) => `--table=${table}`),
            ]),
          ]),
    ];
    // Counted beside the dumps; a failure of one is that of all, once all have ended.
    const counting = databaseFacts(client);
    const settled = await Promise.allSettled([counting, ...dumps]);
    for (const each of settled) if (each.status === 'rejected') throw each.reason;
    return { ...facts, counted: await counting };
  });
}

async function dump(request: DumpRequest, part: string, args: readonly string[]): Promise<void> {
  const { binDir, admin, jobs, folder, signal } = request;
  request.say(`dumping ${part}`);
  const { database, env, secrets } = libpq(admin);
  const argv = [
    ...[join(binDir, 'pg_dump'), '--format=directory', '--compress=0', `--jobs=${jobs}`, '--no-sync'],
    ...['--no-password', `--lock-wait-timeout=${LOCK_WAIT}`, `--file=${join(folder, part)}`],
    ...[`--dbname=${database}`, ...args],
  ];
  const lock = `${request.lockFile}.${part}`;
  await run(argv, { env, secrets, lock, cwd: '/', timeoutMs: DUMP_TIMEOUT_MS, signal });
}

async function describe(client: Client): Promise<Omit<DumpFacts, 'counted'>> {
  const version = (await queryValue<string>(client, 'SHOW server_version')).split(' ')[0]!;
  const { rows } = await client.query<Described>(DATABASE);
  const { takenAt, bytes, icuLocale, ...database } = rows[0]!;
  const tables = await client.query<{ schema: string; name: string }>(ANALYTICS_TABLES, [ANALYTICS]);
  const roles = await client.query<{ name: string }>(ROLES);
  return {
    method: 'dump',
    version,
    majorVersion: Number.parseInt(version, 10),
    takenAt: takenAt.toISOString(),
    ...database,
    ...(icuLocale === null ? {} : { icuLocale }),
    roles: roles.rows.map(({ name }) => name),
    analyticsTables: tables.rows.map(({ schema, name }) => `${identifier(schema)}.${identifier(name)}`),
    databaseBytes: Number(bytes),
  };
}

interface Described {
  readonly takenAt: Date;
  readonly bytes: string;
  readonly encoding: string;
  readonly provider: 'c' | 'i';
  readonly collate: string;
  readonly ctype: string;
  readonly icuLocale: string | null;
  readonly owner: string;
}

/** Columns that older or newer servers lack are read through JSON: absent there, and no error. */
const DATABASE = `
  SELECT now() AS "takenAt", pg_database_size(d.oid) AS bytes, pg_encoding_to_char(d.encoding) AS encoding,
         coalesce(to_jsonb(d)->>'datlocprovider', 'c') AS provider, d.datcollate AS "collate", d.datctype AS ctype,
         coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') AS "icuLocale",
         pg_get_userbyid(d.datdba) AS owner
    FROM pg_database d WHERE d.datname = current_database()`;

const ANALYTICS_TABLES = `
  SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class top ON top.oid = coalesce(pg_partition_root(c.oid)::oid, c.oid)
   WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public' AND (c.relname ~ $1 OR top.relname ~ $1)
   ORDER BY 1, 2`;

/** Whoever owns something in the database or was granted something. Roles of the system are there everywhere. */
const ROLES = `
  SELECT DISTINCT r.rolname AS name
    FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
   WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname !~ '^pg_'
     AND (s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          OR (s.classid = 'pg_database'::regclass
              AND s.objid = (SELECT oid FROM pg_database WHERE datname = current_database())))
   ORDER BY 1`;
