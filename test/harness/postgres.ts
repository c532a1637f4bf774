import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterConfig, PgbackrestRepository } from '../../domain/config.ts';
import { Secret } from '../../domain/secret.ts';
import { waitReady, type Connection } from '../../adapters/postgres/client.ts';
import { createStanza } from '../../adapters/postgres/backup.ts';
import { freePort } from '../../adapters/host/free-port.ts';
import type { Pgbackrest } from '../../adapters/postgres/pgbackrest.ts';
import {
  giveTo,
  ownedFolder,
  siteArchiveCommand,
  writePgbackrestConfig,
  type PgbackrestSite,
} from '../../adapters/postgres/pgbackrest-config.ts';
import { run, userPrefix } from '../../adapters/process/run.ts';

/**
 * A throw-away PostgreSQL cluster with checksums that archives into a real encrypted pgBackRest repository. It runs
 * as user postgres where the tests run as root, dies with the tests, and leaves nothing behind.
 */

export const PG_BIN = '/usr/lib/postgresql/15/bin';
export const PASSPHRASE = new Secret('a passphrase = of the # tests');
export const ADMIN_PASSWORD = new Secret('admin-password-of-the-tests');

export interface TestCluster {
  readonly dir: string;
  readonly config: ClusterConfig;
  readonly repository: PgbackrestRepository;
  readonly site: PgbackrestSite;
  readonly tool: Pgbackrest;
  /** Superuser over the server's socket. */
  readonly admin: Connection;
  readonly start: (dataDir?: string, settings?: readonly string[]) => Promise<void>;
  /** An orderly stop, which archives what is full. */
  readonly stop: () => Promise<void>;
  /** Ends the postmaster and every child of it at once, as a power cut would. */
  readonly kill: () => Promise<void>;
  /** Stops and removes everything. */
  readonly close: () => Promise<void>;
}

export async function startTestCluster(settings: readonly string[] = []): Promise<TestCluster> {
  const user = process.getuid?.() === 0 ? 'postgres' : undefined;
  // Not below a home folder: user postgres must be able to enter.
  const dir = await mkdtemp('/var/tmp/tyk-dr-test-');
  await chmod(dir, 0o755);
  await giveTo(user, dir);
  for (const folder of ['run', 'repositories']) await ownedFolder(join(dir, folder), user);
  const config = clusterConfig(dir, await freePort(), user);
  const repository: PgbackrestRepository = {
    repository: join(dir, 'repositories'),
    stanza: 'acme',
    passphrase: 'env:UNUSED',
    processes: 2,
  };
  const site: PgbackrestSite = { config, repository, generation: 'primary-1', passphrase: PASSPHRASE };
  await initCluster(config, dir, repository, settings);
  let server: ChildProcess | undefined;
  const admin: Connection = {
    host: join(dir, 'run'),
    port: config.port,
    user: 'postgres',
    database: 'postgres',
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  };
  const start = async (dataDir = config.dataDir, more: readonly string[] = []): Promise<void> => {
    server = await spawnServer(dataDir, user, join(dir, 'server.log'), more);
    const child = server;
    const giveUp = (): void => {
      if (child.exitCode !== null)
        throw new Error(`the test server ended: ${lastOf(join(dir, 'server.log'))}`);
    };
    await (await waitReady(admin, { deadlineMs: 30_000, giveUp })).end();
  };
  const close = async (): Promise<void> => {
    await end('SIGQUIT');
    await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await start();
    const tool = await writePgbackrestConfig(site);
    await createStanza(tool);
    const stop = (): Promise<void> => end('SIGINT');
    return { dir, config, repository, site, tool, admin, start, stop, kill: () => end('SIGKILL'), close };
  } catch (error) {
    await close();
    throw error;
  }
}

export function clusterConfig(dir: string, port: number, user: string | undefined): ClusterConfig {
  return {
    kind: 'postgresql',
    method: 'pgbackrest',
    jobs: 2,
    host: '127.0.0.1',
    port,
    name: 'postgres',
    user: 'postgres',
    password: 'env:UNUSED',
    admin: { user: 'postgres' },
    dataDir: join(dir, 'data'),
    binDir: PG_BIN,
    ...(user === undefined ? {} : { runAs: user }),
    service: { systemd: 'unused' },
    pgbackrest: {
      configFile: join(dir, 'pgbackrest.conf'),
      lockPath: join(dir, 'lock'),
      spoolPath: join(dir, 'spool'),
      logPath: join(dir, 'log'),
    },
  };
}

async function initCluster(
  config: ClusterConfig,
  dir: string,
  repository: PgbackrestRepository,
  settings: readonly string[],
): Promise<void> {
  const pwfile = join(dir, 'pwfile');
  await writeFile(pwfile, `${ADMIN_PASSWORD.reveal()}\n`, { mode: 0o600 });
  await giveTo(config.runAs, pwfile);
  await run(
    [
      ...[join(PG_BIN, 'initdb'), '-k', '--no-sync', '-D', config.dataDir, '-U', 'postgres', '-E', 'UTF8'],
      ...['--locale=C.UTF-8', '--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${pwfile}`],
    ],
    { user: config.runAs, cwd: '/' },
  );
  const lines = [
    `listen_addresses = '127.0.0.1'`,
    `port = ${config.port}`,
    `unix_socket_directories = '${join(dir, 'run')}'`,
    `archive_mode = on`,
    `archive_command = '${siteArchiveCommand(config, repository).replaceAll("'", "''")}'`,
    `shared_buffers = 16MB`,
    // A killed process loses nothing that it gave to the kernel: only a power cut would.
    `fsync = off`,
    `timezone = UTC`,
    ...settings,
  ];
  await appendFile(join(config.dataDir, 'postgresql.conf'), `${lines.join('\n')}\n`);
}

async function spawnServer(
  dataDir: string,
  user: string | undefined,
  logFile: string,
  settings: readonly string[],
): Promise<ChildProcess> {
  const log = await open(logFile, 'a');
  const drop = userPrefix(user).slice(1, -1);
  const postgres = [
    join(PG_BIN, 'postgres'),
    '-D',
    dataDir,
    ...settings.flatMap((setting) => ['-c', setting]),
  ];
  const argv = ['--pdeathsig', 'KILL', ...drop, '--', ...postgres];
  try {
    const child = spawn('setpriv', argv, { cwd: '/', stdio: ['ignore', log.fd, log.fd] });
    await once(child, 'spawn');
    return child;
  } finally {
    await log.close();
  }
}

/** What a server said last: the folder is gone when somebody would look. */
function lastOf(log: string): string {
  return readFileSync(log, 'utf8').trim().split('\n').slice(-8).join('\n');
}
