import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { DatabaseFacts } from '../../domain/manifest.ts';
import { run } from '../process/run.ts';
import { queryValue, withClient, type Client, type Connection } from './client.ts';
import type { Cluster } from './control.ts';
import { identifier } from './quote.ts';
import { BEACON_SCHEMA, SCHEMA_QUERIES } from './schema-queries.ts';

/** What shows that a recovered database is whole and is the one that was backed up. */

const CHECK_TIMEOUT_MS = 24 * 3_600_000;
const AMCHECK_SCHEMA = 'tyk_dr_amcheck';
/** Watermarks come and go all the time: they are measured by themselves. */
const OWN_SCHEMAS = [AMCHECK_SCHEMA, BEACON_SCHEMA];

/**
 * Exact row counts of all ordinary tables that the user may read, by `schema.table`. Partitions count as themselves.
 *
 * @param only of these tables, as far as there are such; default all.
 */
export async function countRows(client: Client, only?: readonly string[]): Promise<Record<string, number>> {
  const { rows: tables } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_'
        AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
      ORDER BY 1, 2`,
    [OWN_SCHEMAS],
  );
  const counts: Record<string, number> = {};
  for (const { schema, name } of tables) {
    if (only && !only.includes(`${schema}.${name}`)) continue;
    const table = `${identifier(schema)}.${identifier(name)}`;
    counts[`${schema}.${name}`] = Number(await queryValue(client, `SELECT count(*) FROM ONLY ${table}`));
  }
  return counts;
}

/**
 * SHA-256 over the ordered definitions of tables, columns, defaults, constraints, indexes, views, sequences,
 * functions, triggers, types and extensions. Equal on a restored copy, as no object ids go in.
 */
export async function schemaDigest(client: Client): Promise<string> {
  const hash = createHash('sha256');
  // Names are printed with their schema only when nothing is on the path: the same text for every role.
  await client.query(`SET search_path = ''`);
  for (const [kind, sql] of Object.entries(SCHEMA_QUERIES)) {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    hash.update(`${kind}\n`);
    for (const row of rows) hash.update(`${JSON.stringify(row)}\n`);
  }
  await client.query('RESET search_path');
  return hash.digest('hex');
}

/** All that `compareExact` compares. The client must be connected to the Dashboard's database. */
export async function databaseFacts(
  client: Client,
  recovered: Pick<DatabaseFacts, 'recoveredLsn' | 'timeline'> = {},
): Promise<DatabaseFacts> {
  return { rows: await countRows(client), schemaDigest: await schemaDigest(client), ...recovered };
}

export interface RelationCheck {
  /** Relations (tables and indexes) that were read whole. */
  readonly relations: number;
  readonly command: string;
  readonly durationMs: number;
}

/**
 * Reads every table and B-tree index of one database with pg_amcheck, and with them the checksum of every page.
 * Other index types are not covered: amcheck has no check for them. The extension is installed into a schema of
 * its own and removed again.
 *
 * @throws DrError DATA_UNPROVEN with the first findings, TOOL_MISSING where amcheck is not installed.
 */
export async function checkRelations(
  binDir: string,
  connection: Connection,
  signal?: AbortSignal,
): Promise<RelationCheck> {
  const { relations, installed } = await withClient(connection, prepareAmcheck);
  try {
    const argv = [
      join(binDir, 'pg_amcheck'),
      ...['--host', connection.host, '--port', String(connection.port), '--username', connection.user],
      ...['--no-password', '--jobs=2', '--database', connection.database],
    ];
    const { stdout, stderr, exitCode, durationMs } = await run(argv, {
      cwd: '/',
      timeoutMs: CHECK_TIMEOUT_MS,
      signal,
      allowedExitCodes: [1, 2],
      ...(connection.password
        ? { env: { PGPASSWORD: connection.password.reveal() }, secrets: [connection.password] }
        : {}),
    });
    if (exitCode !== 0 || stdout.trim() !== '') {
      const findings = `${stdout}\n${stderr}`.trim().slice(0, 1000);
      throw new DrError('DATA_UNPROVEN', {
        what: `relations of ${connection.database}`,
        expected: 'intact',
        actual: findings || `pg_amcheck ended with exit code ${exitCode}`,
      });
    }
    return { relations, command: 'pg_amcheck', durationMs };
  } finally {
    if (installed) {
      await withClient(connection, async (client) => {
        await client.query('DROP EXTENSION IF EXISTS amcheck');
        await client.query(`DROP SCHEMA IF EXISTS ${AMCHECK_SCHEMA}`);
      });
    }
  }
}

async function prepareAmcheck(client: Client): Promise<{ relations: number; installed: boolean }> {
  const has = (catalog: string, column: string): Promise<boolean> =>
    queryValue(client, `SELECT EXISTS (SELECT FROM ${catalog} WHERE ${column} = 'amcheck')`);
  if (!(await has('pg_available_extensions', 'name'))) {
    throw new DrError('TOOL_MISSING', { tool: 'the extension amcheck', host: 'the server' });
  }
  const installed = !(await has('pg_extension', 'extname'));
  if (installed) {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${AMCHECK_SCHEMA}`);
    await client.query(`CREATE EXTENSION amcheck SCHEMA ${AMCHECK_SCHEMA}`);
  }
  const relations = await queryValue(
    client,
    `SELECT count(*) FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
      WHERE c.relkind IN ('r', 'm', 'S', 't') OR (c.relkind = 'i' AND a.amname = 'btree')`,
  );
  return { relations: Number(relations), installed };
}

/**
 * Checks every page of a stopped cluster. A recovery need not: pgBackRest compares each restored file with the
 * digest that it took when it had validated the pages, and WAL carries its own; `verify` of a set does it all the
 * same.
 *
 * @returns how many blocks were checked.
 * @throws DrError DATA_UNPROVEN, also where the cluster has no checksums.
 */
export async function checkPageChecksums(cluster: Cluster, signal?: AbortSignal): Promise<number> {
  const { stdout, stderr, exitCode } = await run(
    [join(cluster.binDir, 'pg_checksums'), '--check', '-D', cluster.dataDir],
    { user: cluster.user, cwd: '/', timeoutMs: CHECK_TIMEOUT_MS, signal, allowedExitCodes: [1] },
  );
  const bad = /Bad checksums:\s+(\d+)/.exec(stdout)?.[1];
  if (exitCode !== 0 || bad !== '0') {
    throw new DrError('DATA_UNPROVEN', {
      what: `page checksums of ${cluster.dataDir}`,
      expected: 'all valid',
      actual: stderr.trim().slice(0, 1000) || `${bad} bad`,
    });
  }
  return Number(/Blocks scanned:\s+(\d+)/.exec(stdout)?.[1]);
}
