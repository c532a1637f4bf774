import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { run } from '../adapters/process/run.ts';
import { declareService, pidOf, start } from './services.ts';
import { outside, siteDir, sitePort, type Lab, type SiteName } from './layout.ts';
import { readKey } from './keys.ts';

/** Redis and PostgreSQL of a site: real servers with the configuration that the guide recommends. */

export const PG_BIN = '/usr/lib/postgresql/15/bin';

export async function declareRedis(lab: Lab, site: SiteName): Promise<void> {
  const dir = siteDir(lab, site, 'redis');
  await mkdir(join(dir, 'data'), { recursive: true });
  const password = await readKey(lab, `${site}-redis-password`);
  const conf = join(dir, 'redis.conf');
  // Whom it follows was written into it by the server itself.
  const before = await readFile(conf, 'utf8').catch(() => '');
  const follows = before.split('\n').filter((line) => /^(replicaof|masterauth) /.test(line));
  const lines = [
    'bind 127.0.0.1',
    `port ${sitePort(lab, site, 'redis')}`,
    `requirepass ${password}`,
    ...(follows.length > 1 ? follows : [`masterauth ${password}`]),
    `dir ${dir}/data`,
    'appendonly yes',
    'appendfsync everysec',
    'save 900 1',
    'save 300 10',
    'save 60 10000',
    // A backup over the replication link need not wait for a second replica to join it.
    'repl-diskless-sync yes',
    'repl-diskless-sync-delay 0',
    'enable-debug-command no',
    'loglevel notice',
  ];
  await writeFile(conf, `${lines.join('\n')}\n`, { mode: 0o600 });
  await declareService(lab, {
    name: `${site}-redis`,
    site,
    argv: ['/usr/bin/redis-server', conf],
  });
}

/** The server's configuration lies outside the data directory, as in Debian: a restore never replaces it. */
export async function declarePostgres(lab: Lab, site: SiteName): Promise<void> {
  const dir = siteDir(lab, site, 'postgres');
  for (const folder of ['', 'etc', 'run', 'log', 'spool', 'lock'])
    await mkdir(join(dir, folder), { recursive: true });
  const etc = join(dir, 'etc');
  const conf = [
    "listen_addresses = '127.0.0.1'",
    `port = ${sitePort(lab, site, 'postgres')}`,
    `unix_socket_directories = '${dir}/run'`,
    `hba_file = '${etc}/pg_hba.conf'`,
    `ident_file = '${etc}/pg_ident.conf'`,
    'max_connections = 60',
    'shared_buffers = 128MB',
    'wal_level = replica',
    'max_wal_senders = 5',
    `archive_mode = ${lab.databaseMethod === 'dump' ? 'off' : 'on'}`,
    `archive_command = 'pgbackrest --config=${dir}/pgbackrest.conf --stanza=${lab.deployment} archive-push %p'`,
    'archive_timeout = 60',
    'password_encryption = scram-sha-256',
    "log_line_prefix = '%m [%p] '",
    'timezone = UTC',
  ];
  const hba = [
    'local all all peer map=lab',
    'host all all 127.0.0.1/32 scram-sha-256',
    'local replication all peer map=lab',
    'host replication all 127.0.0.1/32 scram-sha-256',
  ];
  const owner = lab.storeUser ?? userInfo().username;
  await writeFile(join(etc, 'postgresql.conf'), `${conf.join('\n')}\n`);
  await writeFile(join(etc, 'pg_hba.conf'), `${hba.join('\n')}\n`);
  await writeFile(join(etc, 'pg_ident.conf'), `lab ${owner} postgres\n`);
  await giveToStores(lab, dir);
  await declareService(lab, {
    name: `${site}-postgres`,
    site,
    ...(lab.storeUser === undefined ? {} : { user: lab.storeUser }),
    argv: [`${PG_BIN}/postgres`, '-D', join(dir, 'data'), '-c', `config_file=${etc}/postgresql.conf`],
    stopSignal: 'INT',
  });
}

/** A new cluster with data checksums, which every later recovery checks. */
export async function initPostgres(lab: Lab, site: SiteName): Promise<void> {
  const user = lab.storeUser;
  const data = siteDir(lab, site, 'postgres', 'data');
  const passwordFile = siteDir(lab, site, 'postgres', 'initdb-password');
  await writeFile(passwordFile, await readKey(lab, 'postgres-admin-password'), { mode: 0o600 });
  try {
    await giveToStores(lab, passwordFile);
    const options = [
      '-k',
      '-U',
      'postgres',
      '-E',
      'UTF8',
      '--locale=C.UTF-8',
      '--auth=scram-sha-256',
      '--no-sync',
    ];
    await run([`${PG_BIN}/initdb`, '-D', data, ...options, `--pwfile=${passwordFile}`], { user, cwd: '/' });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/**
 * Settings for filling an empty cluster: no WAL to archive, no waiting for the disk. What a crash would cost is only
 * the seeding. `endSeeding` takes them away again.
 */
export async function beginSeeding(lab: Lab, site: SiteName): Promise<void> {
  const settings = [
    'wal_level = minimal',
    'max_wal_senders = 0',
    'archive_mode = off',
    'fsync = off',
    'max_wal_size = 8GB',
    'maintenance_work_mem = 512MB',
    'autovacuum = off',
  ];
  await appendFile(autoConf(lab, site), `${settings.join('\n')}\n`);
}

/** Call when the server has stopped. */
export async function endSeeding(lab: Lab, site: SiteName): Promise<void> {
  await writeFile(autoConf(lab, site), '');
  const data = siteDir(lab, site, 'postgres', 'data');
  await run([`${PG_BIN}/initdb`, '--sync-only', '-D', data], {
    user: lab.storeUser,
    cwd: '/',
    timeoutMs: SYNC_TIMEOUT_MS,
  });
}

const autoConf = (lab: Lab, site: SiteName): string =>
  siteDir(lab, site, 'postgres', 'data', 'postgresql.auto.conf');
/** A gigabyte on a slow disk. */
const SYNC_TIMEOUT_MS = 300_000;

/**
 * Starts PostgreSQL, also after it was killed: it takes any process that has its old number for itself, even one that
 * is dead and was not reaped. The service knows better.
 */
export async function startPostgres(lab: Lab, site: SiteName): Promise<void> {
  if ((await pidOf(lab, `${site}-postgres`)) === undefined) {
    await rm(siteDir(lab, site, 'postgres', 'data', 'postmaster.pid'), { force: true });
    const sockets = siteDir(lab, site, 'postgres', 'run');
    for (const name of await readdir(sockets)) await rm(join(sockets, name), { force: true });
  }
  await start(lab, `${site}-postgres`);
}

/** Hands a tree to the user of the stores; nothing to do where the lab does not run as root. */
export async function giveToStores(lab: Lab, path: string): Promise<void> {
  if (lab.storeUser !== undefined) await run(['chown', '-R', `${lab.storeUser}:`, path]);
}

export async function prepareOutside(lab: Lab): Promise<void> {
  for (const folder of ['sets', 'pgbackrest', 'witness', 'notices'])
    await mkdir(outside(lab, folder), { recursive: true });
  await giveToStores(lab, outside(lab, 'pgbackrest'));
}
