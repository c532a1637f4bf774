import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import type { StepKey } from '../files/switch-in.ts';
import { queryValue, type Client } from './client.ts';
import { identifier } from './quote.ts';

/**
 * The commit of a restored database: the old one is renamed aside and the new one into its place, in one transaction.
 * The effect is its own ledger: the new database's comment, which PostgreSQL keeps beside it and which goes with it
 * when it is renamed, tells the run, step and set that made it. Everything is done from another database of the
 * server: one that is renamed or dropped must have no session.
 */

export interface DatabaseNames {
  /** Where the Dashboard looks for its data. */
  readonly live: string;
  readonly staging: string;
  /** Where the old one is kept until close-out. */
  readonly old: string;
}

export function databaseNames(live: string, run: string): DatabaseNames {
  return { live, staging: `tyk_dr_new_${run}`, old: `tyk_dr_old_${run}` };
}

/** `building`: begun and not proven, nothing; `staged`: proven, not switched. */
export type DatabaseState = 'absent' | 'building' | 'staged' | 'done';

interface Mark extends StepKey {
  readonly proven: boolean;
  readonly result?: unknown;
}

export interface Observed<R> {
  readonly state: DatabaseState;
  /** What was kept with `markProven`. */
  readonly result?: R;
}

/**
 * @param isEmpty whether the staged one holds nothing: asked where it bears no mark, as when its maker was killed
 *   before it could set one.
 * @throws DrError TARGET_IS_ANOTHER where a database of somebody else has the staging name.
 */
export async function observeDatabase<R>(
  client: Client,
  names: DatabaseNames,
  key: StepKey,
  isEmpty: () => Promise<boolean>,
): Promise<Observed<R>> {
  const live = await markOf(client, names.live);
  if (isOf(live, key)) return { state: 'done', result: live!.result as R };
  if (!(await exists(client, names.staging))) return { state: 'absent' };
  const staged = await markOf(client, names.staging);
  if (isOf(staged, key))
    return staged!.proven ? { state: 'staged', result: staged!.result as R } : { state: 'building' };
  if (!staged && (await isEmpty())) return { state: 'building' };
  throw new DrError('TARGET_IS_ANOTHER', {
    path: `database ${names.staging}`,
    actual: staged ? `that of step ${staged.step} of ${staged.run}` : 'somebody else’s',
    expected: `that of step ${key.step} of ${key.run}`,
  });
}

/** Says whose it is, right after it was made. */
export async function markBuilding(client: Client, names: DatabaseNames, key: StepKey): Promise<void> {
  await mark(client, names.staging, { ...pick(key), proven: false });
}

/** From here on the staged database counts. */
export async function markProven(
  client: Client,
  names: DatabaseNames,
  key: StepKey,
  result: unknown,
): Promise<void> {
  await mark(client, names.staging, { ...pick(key), proven: true, result });
}

/** @returns whether there was an old one, which is kept. @throws DrError TARGET_BUSY */
export async function switchDatabase(client: Client, names: DatabaseNames): Promise<boolean> {
  const old = await exists(client, names.live);
  for (const name of [names.staging, ...(old ? [names.live] : [])]) await shut(client, name);
  await client.query('BEGIN');
  try {
    if (old) await rename(client, names.live, names.old);
    await rename(client, names.staging, names.live);
    await allow(client, names.live, true);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
  return old;
}

/** Puts the old database back. Tolerates that nothing had happened. @returns what it did, for people. */
export async function undoDatabase(client: Client, names: DatabaseNames, key: StepKey): Promise<string> {
  const ours = isOf(await markOf(client, names.live), key);
  const old = await exists(client, names.old);
  if (ours) {
    await shut(client, names.live);
    await client.query('BEGIN');
    try {
      await rename(client, names.live, names.staging);
      if (old) await rename(client, names.old, names.live);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    }
  }
  // Also one that was shut for a switch that never came.
  if (await exists(client, names.live)) await allow(client, names.live, true);
  if (isOf(await markOf(client, names.staging), key)) await drop(client, names.staging);
  if (!ours) return 'nothing was switched';
  return old ? 'the old database is back' : 'the restored database is removed; there was none before';
}

/** @returns whether there was an old database to remove. */
export async function discardOldDatabase(client: Client, names: DatabaseNames): Promise<boolean> {
  if (!(await exists(client, names.old))) return false;
  await drop(client, names.old);
  return true;
}

/** With whatever a killed attempt has left in it, its sessions included. */
export async function drop(client: Client, name: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`);
}

export async function exists(client: Client, name: string): Promise<boolean> {
  return queryValue(client, 'SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)', [name]);
}

const PREFIX = 'tyk-dr ';

async function markOf(client: Client, name: string): Promise<Mark | undefined> {
  const comment = await queryValue<string | null | undefined>(
    client,
    `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1`,
    [name],
  );
  return comment?.startsWith(PREFIX) ? (JSON.parse(comment.slice(PREFIX.length)) as Mark) : undefined;
}

async function mark(client: Client, name: string, content: Mark): Promise<void> {
  const comment = client.escapeLiteral(PREFIX + JSON.stringify(content));
  await client.query(`COMMENT ON DATABASE ${identifier(name)} IS ${comment}`);
}

function isOf(found: Mark | undefined, key: StepKey): boolean {
  return found?.run === key.run && found.step === key.step && found.set === key.set;
}

function pick({ run, step, set }: StepKey): StepKey {
  return { run, step, set };
}

async function rename(client: Client, from: string, to: string): Promise<void> {
  await client.query(`ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`);
}

async function allow(client: Client, name: string, connections: boolean): Promise<void> {
  await client.query(`ALTER DATABASE ${identifier(name)} ALLOW_CONNECTIONS ${connections}`);
}

/** A session needs a moment to see that it was ended. */
const SHUT_TIMEOUT_MS = 30_000;
const SHUT_POLL_MS = 50;

/** No session is left and none can begin: clients would connect again at once, and nothing with a session is renamed. */
async function shut(client: Client, name: string): Promise<void> {
  await allow(client, name, false);
  const deadline = performance.now() + SHUT_TIMEOUT_MS;
  for (;;) {
    const { rows } = await client.query(
      'SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
      [name],
    );
    if (rows.length === 0) return;
    if (performance.now() > deadline)
      throw new DrError('TARGET_BUSY', { path: `database ${name} (${rows.length} sessions)` });
    await sleep(SHUT_POLL_MS);
  }
}
