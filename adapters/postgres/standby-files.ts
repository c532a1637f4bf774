import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeDurably } from '../files/durable.ts';
import type { ClusterConfig } from '../../domain/config.ts';
import type { Secret } from '../../domain/secret.ts';
import { run } from '../process/run.ts';
import type { Connection } from './client.ts';
import { readControl } from './control.ts';
import { giveTo } from './pgbackrest-config.ts';
import { stripRecovery, type ArchiveSetting } from './recovery-settings.ts';
import { libpq } from './tools.ts';

/**
 * The files of a standby, made beside the old ones: a copy of the whole primary, or the old data of this site wound back
 * to where the two parted. PostgreSQL's own tools do it: pg_basebackup and pg_rewind.
 */

export interface Following {
  /** The primary, with the role of replication. */
  readonly source: Connection & { readonly password: Secret };
  readonly slot: string;
  /** As the primary knows it: `application_name`, also what a synchronous commit waits for. */
  readonly name: string;
}

/** Longer than any honest copy; a tool that hangs is caught by the step's heartbeat and limit. */
const COPY_TIMEOUT_MS = 6 * 3_600_000;

interface Making {
  readonly cluster: ClusterConfig;
  readonly following: Following;
  readonly stagingDir: string;
  readonly signal?: AbortSignal | undefined;
}

/** Copies the running primary, with the WAL that is written meanwhile. */
export async function copyPrimary({ cluster, following, stagingDir, signal }: Making): Promise<void> {
  await emptyFolder(stagingDir, cluster.runAs);
  const { env, secrets } = libpq(following.source);
  await run(
    [
      join(cluster.binDir, 'pg_basebackup'),
      ...['--pgdata', stagingDir, '--wal-method', 'stream', '--slot', following.slot],
      ...['--checkpoint', 'fast', '--no-password'],
    ],
    {
      ...{ user: cluster.runAs, cwd: '/', env, secrets, signal, timeoutMs: COPY_TIMEOUT_MS },
      lock: `${stagingDir}.lock`,
    },
  );
}

export interface Rewound {
  /** Where the two histories parted; absent where the old data only lag behind. */
  readonly divergedAt?: string;
  /** The WAL file with which replay will begin. */
  readonly needsWal: string;
}

/**
 * Copies the old data of this site and winds the copy back. The old ones stay as they are: what only this site had is in
 * them.
 *
 * @throws DrError TOOL_FAILED where they cannot be wound back: WAL is missing, or another cluster's
 */
export async function rewindCopy({ cluster, following, stagingDir, signal }: Making): Promise<Rewound> {
  await rm(stagingDir, { recursive: true, force: true });
  await run(['cp', '-a', '--reflink=auto', cluster.dataDir, stagingDir], {
    ...{ user: cluster.runAs, cwd: '/', signal, timeoutMs: COPY_TIMEOUT_MS },
    lock: `${stagingDir}.lock`,
  });
  await rm(join(stagingDir, 'postmaster.pid'), { force: true });
  // A server that was killed is first brought to a clean end, which pg_rewind does itself: by these settings.
  await removeSignals(stagingDir);
  const { env, secrets, database } = libpq(following.source);
  const conf = cluster.configFile;
  const { stderr, stdout } = await run(
    [
      join(cluster.binDir, 'pg_rewind'),
      ...['--target-pgdata', stagingDir, `--source-server=${database}`],
      ...(conf === undefined ? [] : [`--config-file=${conf}`]),
    ],
    {
      ...{ user: cluster.runAs, cwd: '/', env, secrets, signal, timeoutMs: COPY_TIMEOUT_MS },
      lock: `${stagingDir}.lock`,
    },
  );
  const said = `${stdout}\n${stderr}`;
  // It names a place also where this site had written nothing behind it.
  const [, divergedAt] = /no rewind required/.test(said)
    ? []
    : (/servers diverged at WAL location (\S+)/.exec(said) ?? []);
  return {
    needsWal: await firstWal(cluster, stagingDir),
    ...(divergedAt === undefined ? {} : { divergedAt }),
  };
}

async function firstWal(cluster: ClusterConfig, dataDir: string): Promise<string> {
  const label = await readFile(join(dataDir, 'backup_label'), 'utf8').catch(() => '');
  const [, named] = /^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)/m.exec(label) ?? [];
  return named ?? (await readControl({ ...cluster, dataDir, user: cluster.runAs })).redoWal;
}

/**
 * Makes the copy a standby that follows, on this site's own archive. The password goes into a file of its own beside
 * pgBackRest's configuration: the server asks for it whenever it connects.
 */
export async function makeStandby(
  { cluster, following, stagingDir }: Making,
  archive: ArchiveSetting,
): Promise<void> {
  const { source, slot, name } = following;
  const passfile = passfileOf(cluster);
  await mkdir(dirname(passfile), { recursive: true });
  await writeDurably(passfile, passfileLine(source.user, source.password), 0o600);
  await giveTo(cluster.runAs, passfile);
  await stripRecovery(stagingDir, cluster.runAs, archive);
  const auto = join(stagingDir, 'postgresql.auto.conf');
  const tls = source.tls ? { sslmode: 'verify-full', sslrootcert: source.tls.caFile ?? 'system' } : {};
  const conninfo = Object.entries({
    ...{ host: source.host, port: String(source.port), user: source.user, passfile },
    ...{ application_name: name, connect_timeout: '5', keepalives_idle: '5', ...tls },
  })
    .map(([key, value]) => `${key}='${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
    .join(' ');
  await appendFile(
    auto,
    `primary_conninfo = '${conninfo.replaceAll("'", "''")}'\nprimary_slot_name = '${slot}'\nrecovery_target_timeline = 'latest'\n`,
  );
  await writeFile(join(stagingDir, 'standby.signal'), '');
  await giveTo(cluster.runAs, auto, join(stagingDir, 'standby.signal'));
}

/** All that stands in it. */
export const passfileLine = (user: string, password: Secret): string =>
  `*:*:*:${user}:${escapePass(password.reveal())}\n`;

export const passfileOf = ({ pgbackrest }: ClusterConfig): string =>
  join(dirname(pgbackrest.configFile), 'tyk-dr-replication.pgpass');

const escapePass = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll(':', '\\:');

/** Whether the data of a site may be wound back at all: they are this deployment's, of a known cluster. */
export async function isSameCluster(cluster: ClusterConfig, systemIdentifier: string): Promise<boolean> {
  const facts = await readControl({ ...cluster, user: cluster.runAs }).catch(() => undefined);
  return facts?.systemIdentifier === systemIdentifier && facts.checksums;
}

async function removeSignals(dir: string): Promise<void> {
  for (const name of ['standby.signal', 'recovery.signal', 'backup_label'])
    await rm(join(dir, name), { force: true });
}

async function emptyFolder(dir: string, user: string | undefined): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await giveTo(user, dir);
}
