import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { scratchFolder } from '../host/scratch-folder.ts';
import { userPrefix } from '../process/run.ts';
import { waitReady, type Connection } from './client.ts';
import { readControl, type Cluster } from './control.ts';
import { readTail } from './log-tail.ts';
import { giveTo } from './pgbackrest-config.ts';
import { shellQuote } from './quote.ts';

/**
 * A postmaster on a staging directory: cut off from the network, from the archive and from every setting of the
 * cluster that the data came from. It dies with its worker, and holds the lock of the target while any process of
 * it lives.
 */

/** A base backup that ends in the middle of heavy writing may need long to become consistent. */
const READY_DEADLINE_MS = 3_600_000;
/** The checkpoint of an orderly stop writes what replay left in memory. */
const STOP_DEADLINE_MS = 600_000;
const PORT = 5432;

export interface ScratchOptions {
  readonly cluster: Cluster;
  /** The folder of proven WAL, the only place that recovery reads from. */
  readonly walDir: string;
  /** Where to stop: recovery_target_* settings; none for the end of the WAL. */
  readonly recoveryTarget: Readonly<Record<string, string>>;
  readonly superuser: string;
  readonly lockFile: string;
  readonly logFile: string;
  readonly signal?: AbortSignal | undefined;
}

export interface ScratchServer {
  /** A connection as superuser over the private socket. */
  readonly connection: (database: string) => Connection;
  readonly pid: number;
  /** @throws ScratchEnded where it has ended by itself. */
  readonly assertRunning: () => void;
  /** Whether it was started with settings as large as the WAL replayed so far asks for. */
  readonly settingsSuffice: () => Promise<boolean>;
  /** Stops it in order, with a checkpoint; @throws DrError where it does not end well. */
  readonly stop: () => Promise<void>;
  /** Ends it at once, for a restore that failed. Never throws. */
  readonly kill: () => Promise<void>;
}

/**
 * Starts the server and waits until it takes read-only connections.
 *
 * @throws DrError SERVICE_FAILED with the last lines of its log, TARGET_BUSY where another holds the lock.
 */
export async function startScratch(options: ScratchOptions): Promise<ScratchServer> {
  const { cluster } = options;
  const required = (await readControl(cluster)).required;
  // A socket's path may have 107 bytes at most, and a data directory often lies deeper.
  const socketDir = await scratchFolder('pg');
  try {
    await writeFile(join(socketDir, 'postgresql.conf'), '# Everything is on the command line.\n');
    await writeFile(join(socketDir, 'pg_hba.conf'), 'local all all trust\n');
    await writeFile(join(socketDir, 'pg_ident.conf'), '');
    // Only root and the cluster's user may enter the folder: that is what 'trust' rests on.
    await giveTo(cluster.user, socketDir);
    const child = await spawnServer(options, socketDir, required);
    return await whenReady(options, socketDir, child, required);
  } catch (error) {
    await rm(socketDir, { recursive: true, force: true });
    throw error;
  }
}

interface Child {
  readonly pid: number;
  /** Undefined while it runs, else how it ended. */
  readonly ended: () => string | undefined;
  readonly end: Promise<unknown>;
  readonly signal: (name: NodeJS.Signals) => void;
}

async function spawnServer(
  options: ScratchOptions,
  socketDir: string,
  required: Readonly<Record<string, number>>,
): Promise<Child> {
  const { cluster } = options;
  const settings = Object.entries(scratchSettings(options, socketDir, required));
  const postgres = [
    join(cluster.binDir, 'postgres'),
    ...['-D', cluster.dataDir],
    ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  // As in run(): flock and setpriv replace themselves, so this child is the postmaster, and its descendants
  // inherit the lock.
  const argv = [
    ...['flock', '-n', '-F', '-E', '75', options.lockFile],
    ...['setpriv', '--pdeathsig', 'KILL', ...userPrefix(cluster.user).slice(1, -1), '--', ...postgres],
  ];
  const log = await open(options.logFile, 'a', 0o600);
  try {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn');
    const end = once(child, 'exit');
    const ended = (): string | undefined =>
      child.exitCode !== null ? `exit code ${child.exitCode}` : (child.signalCode ?? undefined);
    return { pid: child.pid!, ended, end, signal: (name) => void child.kill(name) };
  } finally {
    await log.close();
  }
}

/**
 * Given on the command line, so that neither postgresql.conf nor ALTER SYSTEM settings inside the data directory
 * can win: no port, archive, upstream, extension or job of the source may act from here.
 */
function scratchSettings(
  options: ScratchOptions,
  socketDir: string,
  required: Readonly<Record<string, number>>,
): Record<string, string> {
  const wal = shellQuote(options.walDir).replaceAll('%', '%%');
  return {
    config_file: join(socketDir, 'postgresql.conf'),
    hba_file: join(socketDir, 'pg_hba.conf'),
    ident_file: join(socketDir, 'pg_ident.conf'),
    external_pid_file: '',
    listen_addresses: '',
    port: String(PORT),
    unix_socket_directories: socketDir,
    unix_socket_group: '',
    ssl: 'off',
    archive_mode: 'off',
    archive_command: '',
    archive_cleanup_command: '',
    recovery_end_command: '',
    restore_command: `test -f ${wal}/%f && cp ${wal}/%f "%p"`,
    primary_conninfo: '',
    primary_slot_name: '',
    synchronous_standby_names: '',
    shared_preload_libraries: '',
    session_preload_libraries: '',
    local_preload_libraries: '',
    max_logical_replication_workers: '0',
    hot_standby: 'on',
    // The timeline of the backup itself, never a newer one that somebody else archived.
    recovery_target_timeline: 'current',
    recovery_target_action: 'pause',
    recovery_min_apply_delay: '0',
    ...options.recoveryTarget,
    wal_retrieve_retry_interval: '50ms',
    // Nothing is kept of a staging directory that was not finished: it is made durable once, at its end.
    fsync: 'off',
    max_wal_size: '16GB',
    checkpoint_timeout: '1h',
    shared_buffers: '256MB',
    autovacuum: 'off',
    wal_level: 'replica',
    default_transaction_read_only: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_min_messages: 'warning',
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
    cluster_name: 'tyk-dr scratch',
    ...Object.fromEntries(Object.entries(required).map(([name, value]) => [name, String(value)])),
  };
}

async function whenReady(
  options: ScratchOptions,
  socketDir: string,
  child: Child,
  required: Readonly<Record<string, number>>,
): Promise<ScratchServer> {
  const connection = (database: string): Connection => ({
    host: socketDir,
    port: PORT,
    user: options.superuser,
    database,
  });
  const assertRunning = (): void => {
    const how = child.ended();
    if (how !== undefined) throw new ScratchEnded(how);
  };
  const kill = async (): Promise<void> => {
    if (child.ended() === undefined) {
      child.signal('SIGQUIT');
      await Promise.race([child.end, sleep(5_000, undefined, { ref: false })]);
      child.signal('SIGKILL');
      await child.end;
    }
    await rm(socketDir, { recursive: true, force: true });
  };
  const stop = async (): Promise<void> => {
    child.signal('SIGINT');
    await Promise.race([child.end, sleep(STOP_DEADLINE_MS, undefined, { ref: false })]);
    const how = child.ended();
    await kill();
    if (how !== 'exit code 0') throw await failure(options, 'stop', how ?? 'it still ran');
  };
  try {
    const client = await waitReady(connection('postgres'), {
      deadlineMs: READY_DEADLINE_MS,
      signal: options.signal,
      giveUp: assertRunning,
    });
    await client.end();
  } catch (error) {
    const ended = child.ended();
    await kill();
    options.signal?.throwIfAborted();
    if (ended === 'exit code 75') throw new DrError('TARGET_BUSY', { path: options.lockFile });
    throw error instanceof ScratchEnded ? await failure(options, 'start', error.message) : error;
  }
  const settingsSuffice = async (): Promise<boolean> =>
    Object.entries((await readControl(options.cluster)).required).every(
      ([name, value]) => value <= (required[name] ?? 0),
    );
  return { connection, pid: child.pid, assertRunning, settingsSuffice, stop, kill };
}

/** The server ended by itself. What that means depends on what it was doing: the caller knows. */
export class ScratchEnded extends Error {}

async function failure(options: ScratchOptions, action: string, how: string): Promise<DrError> {
  return new DrError('SERVICE_FAILED', {
    service: 'the scratch PostgreSQL server',
    site: options.cluster.dataDir,
    action,
    reason: `${how}; its log ends: ${await readTail(options.logFile)}`,
  });
}
