import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresFacts } from '../../domain/manifest.ts';
import { DrError } from '../../domain/errors.ts';
import { refuseTablespaces } from './backup-manifest.ts';
import { queryValue, withClient, type Client, type Connection } from './client.ts';
import { segmentTimeline } from './lsn.ts';
import { endOrphans } from './orphans.ts';
import { pgbackrest, type Pgbackrest } from './pgbackrest.ts';
import { writePgbackrestConfig, type PgbackrestSite } from './pgbackrest-config.ts';
import { listArchive } from './wal.ts';

/** Takes a physical backup of a running cluster and fixes a point in its WAL to which it can be recovered exactly. */

/** A backup takes as long as the data are large: this only ends one that hangs. */
const BACKUP_TIMEOUT_MS = 24 * 3_600_000;
const ARCHIVE_POLL_MS = 100;
const ARCHIVE_DEADLINE_MS = 120_000;

export interface TakeBackupRequest {
  readonly site: PgbackrestSite;
  /** A superuser of the running server. */
  readonly admin: Connection;
  readonly type: 'full' | 'incr';
  /** Name of the restore point: the id of the backup set. */
  readonly restorePoint: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the site's configuration, makes the stanza where there is none, backs up, sets the restore point and waits
 * until the archive holds it. The facts go into the manifest of the set.
 *
 * @throws DrError TABLESPACE_UNSUPPORTED, TARGET_IS_ANOTHER, TOOL_FAILED, DATA_UNPROVEN (damaged pages),
 *   STORE_UNREACHABLE, WAL_MISSING (the archive did not take the restore point's segment in time).
 */
export async function takeBackup(request: TakeBackupRequest): Promise<PostgresFacts> {
  const { site, admin, signal } = request;
  const server = await withClient(admin, describeServer);
  const tool = await writePgbackrestConfig(site);
  await createStanza(tool, signal);
  const backup = await backUp(tool, request.type, signal);
  if (backup.systemIdentifier !== server.systemIdentifier) {
    throw new DrError('TARGET_IS_ANOTHER', {
      path: `the repository of ${site.generation}`,
      actual: `the cluster ${backup.systemIdentifier}`,
      expected: `the cluster ${server.systemIdentifier}`,
    });
  }
  const takenAt = new Date().toISOString();
  const point = await createRestorePoint(tool, admin, request.restorePoint, signal);
  return {
    method: 'pgbackrest',
    version: server.version,
    majorVersion: Number.parseInt(server.version, 10),
    systemIdentifier: backup.systemIdentifier,
    generation: site.generation,
    stanza: tool.stanza,
    label: backup.label,
    type: backup.type,
    timeline: segmentTimeline(backup.walStart),
    startLsn: backup.startLsn,
    stopLsn: backup.stopLsn,
    restorePoint: request.restorePoint,
    restorePointLsn: point.lsn,
    takenAt,
    walStart: backup.walStart,
    walStop: point.segment,
    walSegmentBytes: server.walSegmentBytes,
    databaseBytes: backup.databaseBytes,
  };
}

interface ServerFacts {
  readonly version: string;
  readonly systemIdentifier: string;
  readonly walSegmentBytes: number;
}

/** What the running server is. @throws DrError TABLESPACE_UNSUPPORTED */
export async function describeServer(client: Client): Promise<ServerFacts> {
  const { rows } = await client.query<{ spcname: string }>(
    `SELECT spcname FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1`,
  );
  refuseTablespaces(rows.map(({ spcname }) => spcname));
  const version = await queryValue<string>(client, 'SHOW server_version');
  const systemIdentifier = await queryValue<string>(
    client,
    'SELECT system_identifier::text FROM pg_control_system()',
  );
  const walSegmentBytes = await queryValue<number>(
    client,
    `SELECT setting::int FROM pg_settings WHERE name = 'wal_segment_size'`,
  );
  return { version: version.split(' ')[0]!, systemIdentifier, walSegmentBytes };
}

/**
 * Makes the stanza; does nothing where it exists and belongs to this cluster.
 *
 * @param look where pgBackRest learns of the cluster: from its server, or from its files while no server answers.
 */
export async function createStanza(
  tool: Pgbackrest,
  signal?: AbortSignal,
  look: 'at-server' | 'at-files' = 'at-server',
): Promise<void> {
  const args = look === 'at-files' ? ['--no-online'] : [];
  await whenUnlocked(tool, () =>
    pgbackrest(tool, 'stanza-create', args, { signal, timeoutMs: BACKUP_TIMEOUT_MS }),
  );
}

export interface BackupFacts {
  readonly label: string;
  readonly type: 'full' | 'incr';
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly walStart: string;
  readonly walStop: string;
  readonly timeline: number;
  readonly systemIdentifier: string;
  /** Size of the data directory that the backup restores to. */
  readonly databaseBytes: number;
  /** The archive that holds its WAL, such as `15-1`. */
  readonly archiveId: string;
  /** Whether pgBackRest met pages with a wrong checksum in the live cluster. */
  readonly damagedPages: boolean;
}

/**
 * Takes a backup. An incremental one without a sound full one to build on becomes a full one; the answer says which
 * it was.
 *
 * @throws DrError TOOL_FAILED, DATA_UNPROVEN where pages fail their checksum.
 */
export async function backUp(
  tool: Pgbackrest,
  type: 'full' | 'incr',
  signal?: AbortSignal,
): Promise<BackupFacts> {
  const before = await listBackups(tool);
  const chain = before.slice(before.findLastIndex((backup) => backup.type === 'full'));
  const used = chain.some(({ damagedPages }) => damagedPages) ? 'full' : type;
  await runBackup(tool, used, signal);
  const known = new Set(before.map(({ label }) => label));
  const fresh = (await listBackups(tool)).find(({ label }) => !known.has(label));
  if (!fresh) {
    throw new DrError('TOOL_FAILED', { tool: 'pgbackrest', exit: 'success', output: 'but made no backup' });
  }
  if (fresh.damagedPages) {
    throw new DrError('DATA_UNPROVEN', {
      what: `page checksums in backup ${fresh.label}`,
      expected: 'all valid',
      actual: 'damaged pages in the live cluster (see the log of pgBackRest)',
    });
  }
  return fresh;
}

/** pgBackRest's own command, which dies with a worker that is killed and does not bar the next one's way. */
export async function runBackup(
  tool: Pgbackrest,
  type: 'full' | 'incr',
  signal?: AbortSignal,
): Promise<void> {
  const lock = `${tool.configFile}.lock`;
  await whenUnlocked(tool, () =>
    pgbackrest(tool, 'backup', [`--type=${type}`], { signal, lock, timeoutMs: BACKUP_TIMEOUT_MS }),
  );
}

/** For one that was killed to be gone; its helpers are ended by us. */
const LOCK_PATIENCE_MS = 10_000;
const LOCK_PAUSE_MS = 200;

async function whenUnlocked(tool: Pgbackrest, work: () => Promise<unknown>): Promise<void> {
  for (const until = Date.now() + LOCK_PATIENCE_MS; ;) {
    await endOrphans(tool.configFile);
    try {
      await work();
      return;
    } catch (error) {
      if (!isLocked(error) || Date.now() > until) throw error;
      await sleep(LOCK_PAUSE_MS);
    }
  }
}

/** By a lock of its own, or by ours that it holds. */
function isLocked(error: unknown): boolean {
  if (!(error instanceof DrError)) return false;
  return error.code === 'TARGET_BUSY' || error.message.includes('unable to acquire lock');
}

interface InfoBackup {
  label: string;
  type: 'full' | 'incr' | 'diff';
  error: boolean | null;
  lsn: { start: string; stop: string };
  archive: { start: string; stop: string };
  database: { id: number };
  info: { size: number };
}
interface InfoStanza {
  backup: InfoBackup[];
  db: { id: number; 'system-id': unknown; version: string }[];
}

/** The backups of the repository, oldest first. A stanza that was never made has none. */
export async function listBackups(tool: Pgbackrest): Promise<BackupFacts[]> {
  const { stdout } = await pgbackrest(tool, 'info', ['--output=json']);
  // The system identifier has more digits than a JavaScript number holds exactly.
  const exact = stdout.replaceAll(/"system-id":(\d+)/g, '"system-id":"$1"');
  const stanza = (JSON.parse(exact) as InfoStanza[])[0];
  return (stanza?.backup ?? []).map((backup) => {
    const db = stanza!.db.find(({ id }) => id === backup.database.id);
    return facts(backup, String(db?.['system-id']), `${db?.version}-${backup.database.id}`);
  });
}

function facts(backup: InfoBackup, systemIdentifier: string, archiveId: string): BackupFacts {
  return {
    label: backup.label,
    type: backup.type === 'full' ? 'full' : 'incr',
    startLsn: backup.lsn.start,
    stopLsn: backup.lsn.stop,
    walStart: backup.archive.start,
    walStop: backup.archive.stop,
    timeline: segmentTimeline(backup.archive.start),
    systemIdentifier,
    databaseBytes: backup.info.size,
    archiveId,
    damagedPages: backup.error === true,
  };
}

export interface RestorePoint {
  readonly lsn: string;
  /** The WAL segment that holds it. */
  readonly segment: string;
}

/**
 * Sets a named point in the WAL and returns once the archive itself shows its segment. A recovery to this point is
 * exact: what was committed before it is in, what came after is not.
 *
 * @throws DrError WAL_MISSING when the archive does not take the segment before the deadline.
 */
export async function createRestorePoint(
  tool: Pgbackrest,
  admin: Connection,
  name: string,
  signal?: AbortSignal,
  deadlineMs = ARCHIVE_DEADLINE_MS,
): Promise<RestorePoint> {
  const { point, archivedUnder } = await withClient(admin, async (client) => {
    const lsn = await queryValue<string>(client, 'SELECT pg_create_restore_point($1)::text', [name]);
    const segment = await queryValue<string>(client, 'SELECT pg_walfile_name($1::pg_lsn)', [lsn]);
    await client.query('SELECT pg_switch_wal()');
    const { systemIdentifier } = await describeServer(client);
    return { point: { lsn, segment }, archivedUnder: systemIdentifier };
  });
  const archiveId = (await archiveOf(tool, archivedUnder)) ?? '';
  await awaitArchived(tool, archiveId, point.segment, deadlineMs, signal);
  return point;
}

/** Waits until the archive lists a segment: what is asked is the repository, not anybody's exit code. */
export async function awaitArchived(
  tool: Pgbackrest,
  archiveId: string,
  segment: string,
  deadlineMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const { segments } = await listArchive(tool, archiveId);
    if (segments.some((archived) => archived.segment === segment)) return;
    if (performance.now() > deadline) throw new DrError('WAL_MISSING', { segment });
    await sleep(ARCHIVE_POLL_MS, undefined, { signal });
  }
}

/** The archive of a cluster, such as `15-1`; undefined where the stanza knows no such cluster. */
async function archiveOf(tool: Pgbackrest, systemIdentifier: string): Promise<string | undefined> {
  const { stdout } = await pgbackrest(tool, 'info', ['--output=json']);
  const exact = stdout.replaceAll(/"system-id":(\d+)/g, '"system-id":"$1"');
  const db = (JSON.parse(exact) as InfoStanza[])[0]?.db.findLast(
    (entry) => entry['system-id'] === systemIdentifier,
  );
  return db && `${db.version}-${db.id}`;
}
