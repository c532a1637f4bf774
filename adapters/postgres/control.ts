import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { run } from '../process/run.ts';

/** What a data directory says about itself, without a server: `pg_controldata` and `PG_VERSION`. */

export interface Cluster {
  readonly binDir: string;
  readonly dataDir: string;
  readonly user?: string | undefined;
}

export interface ControlFacts {
  readonly systemIdentifier: string;
  /** `in production`, `shut down`, `in archive recovery`, ... as PostgreSQL words it. */
  readonly state: string;
  readonly timeline: number;
  readonly checkpointLsn: string;
  /** The WAL file with which recovery begins. */
  readonly redoWal: string;
  readonly checksums: boolean;
  readonly segmentBytes: number;
  /** Settings that a standby must have at least as large as its source. */
  readonly required: Readonly<Record<string, number>>;
}

const REQUIRED_SETTINGS: Readonly<Record<string, string>> = {
  max_connections: 'max_connections setting',
  max_worker_processes: 'max_worker_processes setting',
  max_wal_senders: 'max_wal_senders setting',
  max_prepared_transactions: 'max_prepared_xacts setting',
  max_locks_per_transaction: 'max_locks_per_xact setting',
};

/** @throws DrError TOOL_FAILED where the directory holds no cluster. */
export async function readControl(cluster: Cluster): Promise<ControlFacts> {
  const { stdout } = await run([join(cluster.binDir, 'pg_controldata'), cluster.dataDir], {
    user: cluster.user,
    cwd: '/',
    env: { LC_ALL: 'C' },
  });
  const fields = new Map(
    stdout.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const field = (name: string): string => fields.get(name) ?? '';
  return {
    systemIdentifier: field('Database system identifier'),
    state: field('Database cluster state'),
    timeline: Number(field("Latest checkpoint's TimeLineID")),
    checkpointLsn: field('Latest checkpoint location'),
    redoWal: field("Latest checkpoint's REDO WAL file"),
    checksums: field('Data page checksum version') !== '0',
    segmentBytes: Number(field('Bytes per WAL segment')),
    required: Object.fromEntries(
      Object.entries(REQUIRED_SETTINGS).map(([setting, name]) => [setting, Number(field(name))]),
    ),
  };
}

/** The installed server's version, such as `15.18`. */
export async function serverVersion(binDir: string): Promise<string> {
  const { stdout } = await run([join(binDir, 'postgres'), '--version']);
  return /\d+(\.\d+)*/.exec(stdout)?.[0] ?? stdout;
}

/** @throws DrError POSTGRES_VERSION unless the installed server is of the major version of the backup. */
export async function checkMajorVersion(binDir: string, expectedMajor: number): Promise<string> {
  const actual = await serverVersion(binDir);
  if (Number.parseInt(actual, 10) !== expectedMajor) {
    throw new DrError('POSTGRES_VERSION', { actual, expected: expectedMajor });
  }
  return actual;
}

/**
 * Proves that an existing data directory may be replaced: it is the cluster that the backup was taken from.
 *
 * @returns its facts, or undefined where there is no cluster: nothing there, or a folder without pg_control.
 * @throws DrError TARGET_IS_ANOTHER where it belongs to another cluster.
 */
export async function checkIdentity(
  cluster: Cluster,
  expectedSystemIdentifier: string,
): Promise<ControlFacts | undefined> {
  const hasControl = await access(join(cluster.dataDir, 'global', 'pg_control')).then(
    () => true,
    () => false,
  );
  if (!hasControl) return undefined;
  const facts = await readControl(cluster);
  if (facts.systemIdentifier !== expectedSystemIdentifier) {
    throw new DrError('TARGET_IS_ANOTHER', {
      path: cluster.dataDir,
      actual: `the cluster ${facts.systemIdentifier}`,
      expected: `the cluster ${expectedSystemIdentifier}`,
    });
  }
  return facts;
}
