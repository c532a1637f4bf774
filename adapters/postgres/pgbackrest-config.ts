import { chmod, chown, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { ClusterConfig, PgbackrestRepository } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';
import { run } from '../process/run.ts';
import { archiveCommand, type Pgbackrest } from './pgbackrest.ts';

/**
 * A site's pgbackrest.conf. Each generation of a site has a repository folder of its own, so that an old site that
 * comes back can never write into the archive of its successor. The file holds the passphrase, because
 * archive_command needs it whenever PostgreSQL runs: the one secret that lives outside the activities.
 */

/** Measured on a gigabyte: level 3 makes it a seventh smaller, and takes twice the processor time. */
const COMPRESS_LEVEL = 1;

/** How long a backup waits for the WAL that it needs. */
const ARCHIVE_TIMEOUT_S = 120;

export interface PgbackrestSite {
  readonly config: ClusterConfig;
  readonly repository: PgbackrestRepository;
  /** `primary-1`: the folder below the root of the repositories. */
  readonly generation: string;
  readonly passphrase: Secret;
}

export interface PgbackrestConfigOptions {
  /** Default the site's own file; a restore uses another one beside it. */
  readonly file?: string;
  /** Default the site's data directory; a restore names its staging directory. */
  readonly dataDir?: string;
}

export function repositoryFolder(repository: PgbackrestRepository, generation: string): string {
  if (!/^[a-z0-9][a-z0-9-]*-\d+$/.test(generation)) {
    throw new DrError('BAD_ARGUMENT', {
      argument: 'generation',
      value: generation,
      expected: 'SITE-NUMBER such as primary-1',
    });
  }
  return join(repository.repository, generation);
}

/**
 * Writes the file (mode 0600, owned by the cluster's user, by rename) and makes the folders that it names. Write it
 * again before each backup: the socket folder comes from the running server.
 */
export async function writePgbackrestConfig(
  site: PgbackrestSite,
  options: PgbackrestConfigOptions = {},
): Promise<Pgbackrest> {
  const { config, repository, passphrase } = site;
  const file = options.file ?? config.pgbackrest.configFile;
  const dataDir = options.dataDir ?? config.dataDir;
  // A restore beside a serving cluster must not wait for, or block, that cluster's own lock.
  const own = options.file === undefined ? '' : 'restore';
  const folders = {
    lock: join(config.pgbackrest.lockPath, own),
    spool: join(config.pgbackrest.spoolPath, own),
    log: join(config.pgbackrest.logPath, own),
  };
  const text = render({
    ...folders,
    repositoryPath: repositoryFolder(repository, site.generation),
    passphrase: checkedPassphrase(passphrase),
    processes: repository.processes,
    stanza: repository.stanza,
    dataDir,
    port: config.port,
    socketDir: await socketDirectory(config.dataDir),
  });
  for (const folder of Object.values(folders)) await ownedFolder(folder, config.runAs);
  await writeSecretFile(file, text, config.runAs);
  return { configFile: file, stanza: repository.stanza, user: config.runAs, passphrase };
}

/** The site's tool handle without writing anything: for readers of a file that exists. */
export function siteTool(site: PgbackrestSite): Pgbackrest {
  const { config, repository, passphrase } = site;
  return {
    configFile: config.pgbackrest.configFile,
    stanza: repository.stanza,
    user: config.runAs,
    passphrase,
  };
}

/** What postgresql.conf must have for archive_command. */
export function siteArchiveCommand(config: ClusterConfig, repository: PgbackrestRepository): string {
  return archiveCommand(config.pgbackrest.configFile, repository.stanza);
}

/** A folder that belongs to the cluster's user, and with it those above it that had to be made. */
export async function ownedFolder(folder: string, user: string | undefined): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o750 });
  const made = first === undefined ? [] : relative(first, folder).split('/');
  await giveTo(user, folder, ...made.map((_, index) => join(first!, ...made.slice(0, index))));
}

export async function giveTo(user: string | undefined, ...paths: string[]): Promise<void> {
  if (user === undefined || process.getuid?.() !== 0) return;
  const [uid, gid] = await idsOf(user);
  for (const path of paths) await chown(path, uid, gid);
}

/** Asked anew each time: a restore makes a dozen such calls, and a user may be made again with another number. */
async function idsOf(user: string): Promise<[uid: number, gid: number]> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith(`${user}:`));
  // Users of a directory service are not in the file.
  const [, , uid, gid] = (line ?? (await run(['getent', 'passwd', user])).stdout).split(':').map(Number);
  return [uid!, gid!];
}

interface Rendered {
  readonly repositoryPath: string;
  readonly passphrase: string;
  readonly processes: number;
  readonly stanza: string;
  readonly dataDir: string;
  readonly port: number;
  readonly socketDir: string | undefined;
  readonly lock: string;
  readonly spool: string;
  readonly log: string;
}

function render(site: Rendered): string {
  const lines = [
    '# Written by tyk-dr; changes are lost.',
    '[global]',
    'repo1-type=posix',
    `repo1-path=${site.repositoryPath}`,
    'repo1-cipher-type=aes-256-cbc',
    `repo1-cipher-pass=${site.passphrase}`,
    // Expiry is the decision of tyk-dr's retention, never a side effect of a backup.
    'repo1-retention-full=9999999',
    'expire-auto=n',
    'compress-type=zst',
    `compress-level=${COMPRESS_LEVEL}`,
    `process-max=${site.processes}`,
    'start-fast=y',
    `archive-timeout=${ARCHIVE_TIMEOUT_S}`,
    `lock-path=${site.lock}`,
    `spool-path=${site.spool}`,
    `log-path=${site.log}`,
    'log-level-console=warn',
    'log-level-file=info',
    `[${site.stanza}]`,
    `pg1-path=${site.dataDir}`,
    `pg1-port=${site.port}`,
    ...(site.socketDir === undefined ? [] : [`pg1-socket-path=${site.socketDir}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Where the running server keeps its socket: line 5 of postmaster.pid. Undefined where no server runs. */
export async function socketDirectory(dataDir: string): Promise<string | undefined> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const folder = text.split('\n')[4]?.trim();
  return folder?.startsWith('/') ? folder : undefined;
}

function checkedPassphrase(passphrase: Secret): string {
  const value = passphrase.reveal();
  if (value !== '' && value === value.trim() && !/[\r\n\0]/.test(value)) return value;
  throw new DrError('SECRET_MISSING', {
    reference: 'backup.pgbackrest.passphrase',
    reason: 'it is empty, has line breaks, or begins or ends with a space',
  });
}

async function writeSecretFile(file: string, text: string, user: string | undefined): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}.new`;
  await writeFile(fresh, text, { mode: 0o600 });
  await chmod(fresh, 0o600);
  await giveTo(user, fresh);
  await rename(fresh, file);
}
