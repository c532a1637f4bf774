import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { DumpFacts } from '../../domain/manifest.ts';
import { run } from '../process/run.ts';
import { queryValue, withClient, type Client, type Connection } from './client.ts';
import { identifier } from './quote.ts';
import { libpq } from './tools.ts';

/** Builds a database of its own from a dump, beside whatever the server has. Nothing else on the server changes. */

const RESTORE_TIMEOUT_MS = 24 * 3_600_000;

export interface DumpRestore {
  readonly binDir: string;
  /** As somebody who may make databases. */
  readonly connection: (database: string) => Connection;
  readonly facts: DumpFacts;
  /** The unpacked dumps: `control` and, where there were analytics tables, `analytics`. */
  readonly folder: string;
  /** Exists and is empty: see `createDatabase`. */
  readonly database: string;
  readonly jobs: number;
  readonly lockFile: string;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Of the same encoding and locale as the one that was dumped, and empty. */
export async function createDatabase(client: Client, name: string, facts: DumpFacts): Promise<void> {
  const text = (value: string): string => client.escapeLiteral(value);
  const icu = facts.provider === 'i' && facts.icuLocale !== undefined;
  await client.query(
    `CREATE DATABASE ${identifier(name)} OWNER ${identifier(facts.owner)} TEMPLATE template0
       ENCODING ${text(facts.encoding)} LC_COLLATE ${text(facts.collate)} LC_CTYPE ${text(facts.ctype)}
       ${icu ? `LOCALE_PROVIDER icu ICU_LOCALE ${text(facts.icuLocale)}` : ''}`,
  );
}

/** Rows before indexes and constraints, as both are made faster, and checked, over rows that are there. @throws DrError TOOL_FAILED */
export async function fillDatabase(request: DumpRestore): Promise<void> {
  await restore(request, 'control', ['pre-data', 'data']);
  if (request.facts.analyticsTables.length > 0) await restore(request, 'analytics', ['data']);
  request.say('building indexes');
  await restore(request, 'control', ['post-data']);
  // A dump has no statistics; without them the first queries would be slow.
  await withClient(request.connection(request.database), (client) => client.query('ANALYZE'));
}

async function restore(request: DumpRestore, part: string, sections: readonly string[]): Promise<void> {
  request.say(`restoring ${part}, ${sections.join(' and ')}`);
  const { binDir, jobs, folder, lockFile: lock, signal } = request;
  const { database, env, secrets } = libpq(request.connection(request.database));
  const argv = [
    ...[join(binDir, 'pg_restore'), '--format=directory', `--jobs=${jobs}`, '--exit-on-error'],
    ...['--no-password', `--dbname=${database}`, ...sections.map((section) => `--section=${section}`)],
    join(folder, part),
  ];
  await run(argv, { env, secrets, lock, cwd: '/', timeoutMs: RESTORE_TIMEOUT_MS, signal });
}

/** The version of a client program. */
export async function toolVersion(binDir: string, tool: string): Promise<string> {
  const { stdout } = await run([join(binDir, tool), '--version']);
  return /\d+(\.\d+)*/.exec(stdout)?.[0] ?? stdout;
}

/**
 * A dump goes into its own or a newer major version.
 *
 * @param what that which has the version, as it stands in the error.
 * @throws DrError POSTGRES_TOO_OLD
 */
export function requireAtLeast(what: string, actual: string, { version, majorVersion }: DumpFacts): void {
  if (Number.parseInt(actual, 10) < majorVersion)
    throw new DrError('POSTGRES_TOO_OLD', { what, actual, expected: version });
}

/** @throws DrError POSTGRES_TOO_OLD, TARGET_IS_ANOTHER for a standby, BAD_ARGUMENT where the user may not make databases. */
export async function requireFit(client: Client, address: string, facts: DumpFacts): Promise<string> {
  const version = (await queryValue<string>(client, 'SHOW server_version')).split(' ')[0]!;
  requireAtLeast('the server', version, facts);
  if (await queryValue<boolean>(client, 'SELECT pg_is_in_recovery()'))
    throw new DrError('TARGET_IS_ANOTHER', { path: address, actual: 'a standby', expected: 'a primary' });
  const may = 'SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user';
  if (await queryValue<boolean>(client, may)) return version;
  throw new DrError('BAD_ARGUMENT', {
    argument: 'database.admin.user',
    value: await queryValue<string>(client, 'SELECT current_user'),
    expected: 'a user who may make databases (CREATEDB) and roles (CREATEROLE)',
  });
}
