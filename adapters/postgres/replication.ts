import type { Secret } from '../../domain/secret.ts';
import { queryValue, withClient, type Client, type Connection } from './client.ts';
import { identifier } from './quote.ts';
import { scramVerifier } from './roles.ts';

/** What a primary needs so that another server can follow it, and what either says of how far they are apart. */

/** A physical slot of one standby: the primary keeps its WAL until the standby has it. */
export const slotOf = (site: string): string => `tyk_dr_${site.replaceAll('-', '_')}`;

export interface PrimaryFacts {
  readonly version: string;
  readonly inRecovery: boolean;
  readonly walLevel: string;
  readonly maxWalSenders: number;
  readonly maxSlots: number;
  /** Pages can be compared after a crash: `pg_rewind` needs one of the two. */
  readonly rewindable: boolean;
  readonly systemIdentifier: string;
}

export async function primaryFacts(client: Client): Promise<PrimaryFacts> {
  const { rows } = await client.query<PrimaryFacts>(
    `SELECT current_setting('server_version') AS version,
            pg_is_in_recovery() AS "inRecovery",
            current_setting('wal_level') AS "walLevel",
            current_setting('max_wal_senders')::int AS "maxWalSenders",
            current_setting('max_replication_slots')::int AS "maxSlots",
            current_setting('data_checksums') = 'on' OR current_setting('wal_log_hints') = 'on' AS rewindable,
            (SELECT system_identifier::text FROM pg_control_system()) AS "systemIdentifier"`,
  );
  return rows[0]!;
}

/**
 * Knocks at the door through which a standby streams: the lines `replication` of pg_hba.conf are not those of databases.
 *
 * @throws DrError STORE_UNREACHABLE with what the server said
 */
export async function identifySystem(connection: Connection): Promise<void> {
  await withClient({ ...connection, replication: true }, (client) => client.query('IDENTIFY_SYSTEM'));
}

/** A role that may follow, and read what a rewind needs. Made where it is missing; its password is ours in any case. */
export async function ensureReplicationRole(client: Client, name: string, password: Secret): Promise<void> {
  const role = identifier(name);
  const there = await queryValue<boolean>(
    client,
    'SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)',
    [name],
  );
  // The verifier, so that the password stands in no log of statements.
  await client.query(
    `${there ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN REPLICATION PASSWORD '${scramVerifier(password)}'`,
  );
  // What pg_rewind reads of the source, as its documentation lists it.
  for (const call of [
    'pg_ls_dir(text, boolean, boolean)',
    'pg_stat_file(text, boolean)',
    'pg_read_binary_file(text)',
    'pg_read_binary_file(text, bigint, bigint, boolean)',
  ])
    await client.query(`GRANT EXECUTE ON FUNCTION pg_catalog.${call} TO ${role}`);
  // To see which WAL is still there.
  await client.query(`GRANT pg_monitor TO ${role}`);
}

/** Reserves WAL at once: a slot that is made after the base copy comes too late. @returns whether it was made */
export async function ensureSlot(client: Client, slot: string): Promise<boolean> {
  const there = await queryValue<boolean>(
    client,
    'SELECT EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = $1)',
    [slot],
  );
  if (!there) await client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
  return !there;
}

/** A standby that stays away costs so much disk and no more: then it needs a new copy. Takes effect with a reload. */
export async function limitSlots(client: Client, bytes: number): Promise<void> {
  await client.query(`ALTER SYSTEM SET max_slot_wal_keep_size = '${Math.ceil(bytes / 1_048_576)}MB'`);
  await client.query('SELECT pg_reload_conf()');
}

/** The limit that is in force, bytes; undefined where there is none. */
export async function slotLimit(client: Client): Promise<number | undefined> {
  const megabytes = await queryValue<string>(
    client,
    `SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'`,
  );
  return Number(megabytes) < 0 ? undefined : Number(megabytes) * 1_048_576;
}

/** @param segment name of a WAL file, of whatever timeline */
export async function hasWal(client: Client, segment: string): Promise<boolean> {
  return queryValue<boolean>(
    client,
    'SELECT EXISTS (SELECT 1 FROM pg_ls_waldir() WHERE length(name) = 24 AND right(name, 16) = right($1, 16))',
    [segment],
  );
}

/** A slot that nobody reads keeps WAL until the disk is full. @returns whether there was one */
export async function dropSlot(client: Client, slot: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active`,
    [slot],
  );
  const found = await client.query(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active',
    [slot],
  );
  return (found.rowCount ?? 0) > 0 || (rowCount ?? 0) > 0;
}

/** Commits wait for this standby, or for none where it is empty. Takes effect with a reload. */
export async function setSynchronous(client: Client, standby: string | undefined): Promise<void> {
  const names = standby === undefined ? '' : `FIRST 1 (${identifier(standby)})`;
  await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${names.replaceAll("'", "''")}'`);
  await client.query('SELECT pg_reload_conf()');
}

/** What commits of a primary wait for. */
export interface CommitWaits {
  /** `synchronous_standby_names` as it is in force; empty where they wait for nobody. */
  readonly names: string;
  /** One that it names confirms them. */
  readonly confirmed: boolean;
  /** Commits that wait at this moment. */
  readonly waiting: number;
}

export async function commitWaits(client: Client): Promise<CommitWaits> {
  const { rows } = await client.query<CommitWaits>(
    `SELECT current_setting('synchronous_standby_names') AS names,
            EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS confirmed,
            (SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep') AS waiting`,
  );
  return rows[0]!;
}

/** Whether a standby streams from this server now, by the name that it goes by. */
export function isStreamed(client: Client, standby: string): Promise<boolean> {
  return queryValue<boolean>(
    client,
    `SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming')`,
    [standby],
  );
}

export interface PrimaryPosition {
  readonly lsn: string;
  readonly timeline: number;
}

export async function primaryPosition(client: Client): Promise<PrimaryPosition> {
  const { rows } = await client.query<PrimaryPosition>(
    `SELECT pg_current_wal_flush_lsn()::text AS lsn,
            ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int AS timeline`,
  );
  return rows[0]!;
}

export interface StandbyPosition {
  readonly inRecovery: boolean;
  /** Written to its disk; absent where nothing was ever streamed. */
  readonly received?: string;
  readonly replayed?: string;
  /** `streaming`, `catchup`, ...; absent where no receiver runs. */
  readonly receiver?: string;
  readonly slot?: string;
  readonly sourcePort?: number;
}

export async function standbyPosition(client: Client): Promise<StandbyPosition> {
  const { rows } = await client.query<Record<keyof StandbyPosition, unknown>>(
    `SELECT pg_is_in_recovery() AS "inRecovery",
            pg_last_wal_receive_lsn()::text AS received,
            pg_last_wal_replay_lsn()::text AS replayed,
            r.status AS receiver, r.slot_name AS slot, r.sender_port AS "sourcePort"
       FROM (SELECT 1) AS one LEFT JOIN pg_stat_wal_receiver AS r ON true`,
  );
  return Object.fromEntries(
    Object.entries(rows[0]!).filter(([, value]) => value !== null),
  ) as unknown as StandbyPosition;
}

/** What a slot holds back on the primary's disk, bytes; undefined where there is no such slot. */
export async function slotHolds(
  client: Client,
  slot: string,
): Promise<{ bytes: number; active: boolean; status: string } | undefined> {
  const { rows } = await client.query<{ bytes: string | null; active: boolean; status: string | null }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::text AS bytes, active, wal_status AS status
       FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  const [row] = rows;
  return row && { bytes: Number(row.bytes ?? 0), active: row.active, status: row.status ?? 'unknown' };
}

/**
 * No transaction of a client commits from here on: new ones are read-only, and the ones under way are ended. Our own
 * connections and those of standbys go on. May be repeated.
 */
export async function stopWrites(client: Client): Promise<void> {
  await client.query('ALTER SYSTEM SET default_transaction_read_only = on');
  await client.query('SELECT pg_reload_conf()');
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename <> current_user`,
  );
}

/** Whether `stopWrites` has, and nobody has taken it back. Needs a superuser. */
export async function refusesWrites(client: Client): Promise<boolean> {
  const ours = await queryValue<boolean | null>(
    client,
    `SELECT setting = 'on' AND sourcefile LIKE '%/postgresql.auto.conf'
       FROM pg_settings WHERE name = 'default_transaction_read_only'`,
  );
  return ours === true;
}

/** Takes that back; tolerates that nothing had happened. */
export async function resumeWrites(client: Client): Promise<void> {
  await client.query('ALTER SYSTEM RESET default_transaction_read_only');
  await client.query('SELECT pg_reload_conf()');
}
