import { waitReady, withClient, type Client, type Connection } from '../../adapters/postgres/client.ts';
import { startService } from '../../adapters/service/service.ts';
import type { PostgresConfig, Site } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { DumpFacts, Manifest } from '../../domain/manifest.ts';
import { adminConnection } from '../endpoints.ts';
import type { Call } from '../guard.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';

/** The server that a dump goes into: it runs while its database is restored, and may hold databases of others. */

const START_TIMEOUT_MS = 5 * 60_000;

export function postgresOf({ database }: Site): PostgresConfig {
  if (database?.kind === 'postgresql') return database;
  throw new Error('the method dump works on a site without PostgreSQL');
}

export function dumpFacts({ database }: Manifest): DumpFacts {
  if (database?.method === 'dump') return database;
  throw new Error('the method dump works on a set that was not made by it');
}

/** As its administrator, to a database of the server. */
export async function connector(call: Call): Promise<(database: string) => Connection> {
  const admin = await adminConnection(postgresOf(call.target), call.secret);
  return (database) => ({ ...admin, database });
}

/** A database that is always there: what is renamed or dropped must have no session. */
export async function withServer<T>(call: Call, work: (client: Client) => Promise<T>): Promise<T> {
  const { name } = postgresOf(call.target);
  return withClient((await connector(call))(name === 'postgres' ? 'template1' : 'postgres'), work);
}

/** Starts the server where it is ours to start, and waits until it answers. @returns whether it had to be started */
export async function wake(call: Call): Promise<boolean> {
  const { target, input, signal } = call;
  const admin = (await connector(call))('template1');
  const ready = async (either: AbortSignal): Promise<void> =>
    (await waitReady(admin, { deadlineMs: START_TIMEOUT_MS, signal: either })).end();
  if (postgresOf(target).service === undefined) {
    await ready(signal);
    return false;
  }
  const service = serviceOf(input.plan.to, target, 'database');
  const started = await startService(service, signal);
  await whileRunning(service, signal, ready);
  return started;
}

/**
 * A configuration that names another deployment's server must not cost that one its data: what is replaced is empty,
 * or the Dashboard's database of our organisation.
 *
 * @throws DrError TARGET_IS_ANOTHER
 */
export async function requireOurs(call: Call): Promise<void> {
  const { name, host, port } = postgresOf(call.target);
  const { organisation } = call.deployment;
  const connect = await connector(call);
  const there = await withServer(call, async (client) => {
    const { rows } = await client.query('SELECT FROM pg_database WHERE datname = $1 AND datallowconn', [
      name,
    ]);
    return rows.length > 0;
  });
  // One that takes no connections was shut by an earlier call of this step, which had looked.
  if (!there) return;
  const owners = await withClient(connect(name), organisationsIn);
  if (owners === 'empty' || (owners !== 'foreign' && (owners.length === 0 || owners.includes(organisation))))
    return;
  throw new DrError('TARGET_IS_ANOTHER', {
    path: `database ${name} at ${host}:${port}`,
    actual: owners === 'foreign' ? 'no Dashboard’s' : `that of organisation ${owners.slice(0, 3).join(', ')}`,
    expected: `that of organisation ${organisation}`,
  });
}

async function organisationsIn(client: Client): Promise<'empty' | 'foreign' | string[]> {
  const tables = await userTables(client);
  if (tables.length === 0) return 'empty';
  if (!tables.includes('tyk_organisations')) return tables.includes('tyk_apis') ? [] : 'foreign';
  const { rows } = await client.query<{ id: string }>('SELECT id FROM public.tyk_organisations LIMIT 1000');
  return rows.map(({ id }) => id);
}

async function userTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
  );
  return rows.map(({ name }) => name);
}

/** Of a database that bears no mark: one that was just made when its maker was killed. */
export async function isEmpty(connection: Connection): Promise<boolean> {
  return withClient(connection, async (client) => (await userTables(client)).length === 0);
}
