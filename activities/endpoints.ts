import { basename } from 'node:path';
import { readFile } from 'node:fs/promises';
import type { Connection } from '../adapters/postgres/client.ts';
import type { PgbackrestSite } from '../adapters/postgres/pgbackrest-config.ts';
import type { RedisEndpoint, RedisTls } from '../adapters/redis/client.ts';
import type { SentinelGroup } from '../adapters/redis/sentinel.ts';
import type { RedisStore } from '../adapters/redis/shards.ts';
import { hostPort } from '../domain/addresses.ts';
import type { BackupConfig, ClusterConfig, PostgresConfig, RedisConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { isOneServer } from '../domain/redis-kind.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';

/** Turns what the configuration declares into what adapters connect with; secrets are resolved here, late. */

type Resolve = (reference: SecretRef) => Promise<Secret>;

/** The one server of `host` and `port`: for method files. */
export async function redisEndpoint(config: RedisConfig, secret: Resolve): Promise<RedisEndpoint> {
  return {
    host: config.host,
    port: config.port,
    username: config.username,
    password: config.password === undefined ? undefined : await secret(config.password),
    tls: config.tls && (await redisTls(config.tls, secret)),
    database: config.database,
  };
}

/** What the site's own data lie in: its server, the master behind Sentinels where it has none, or the Cluster. */
export async function redisStore(config: RedisConfig, secret: Resolve): Promise<RedisStore> {
  return isOneServer(config) ? { node: await redisEndpoint(config, secret) } : writtenRedis(config, secret);
}

/** What clients write to: where Sentinels are, the master that they name, on whichever site. */
export async function writtenRedis(config: RedisConfig, secret: Resolve): Promise<RedisStore> {
  const node = await redisEndpoint(config, secret);
  const { cluster } = config;
  if (cluster) return { node, cluster: cluster.nodes.map((address) => ({ ...node, ...hostPort(address) })) };
  const sentinel = await sentinelsOf(config, secret);
  return sentinel ? { node, sentinel } : { node };
}

/** Undefined where a Redis has none. */
export async function sentinelsOf(
  { sentinel, tls }: RedisConfig,
  secret: Resolve,
): Promise<SentinelGroup | undefined> {
  if (!sentinel) return undefined;
  const login = {
    username: sentinel.username,
    password: sentinel.password === undefined ? undefined : await secret(sentinel.password),
    tls: tls && (await redisTls(tls, secret)),
  };
  return {
    name: sentinel.name,
    nodes: sentinel.nodes.map((address) => ({ ...login, ...hostPort(address) })),
  };
}

async function redisTls(
  { ca, cert, key, serverName }: NonNullable<RedisConfig['tls']>,
  secret: Resolve,
): Promise<RedisTls> {
  return {
    ca: ca === undefined ? undefined : await pem(ca),
    cert: cert === undefined ? undefined : await pem(cert),
    key: key === undefined ? undefined : await secret(`file:${key}`),
    serverName,
  };
}

async function pem(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new DrError('SECRET_MISSING', { reference: path, reason: error.code ?? String(error) });
  });
}

/** The Dashboard's own door to its database. */
export async function databaseConnection(config: PostgresConfig, secret: Resolve): Promise<Connection> {
  return {
    host: config.host,
    port: config.port,
    tls: config.tls,
    user: config.user,
    database: config.name,
    password: await secret(config.password),
  };
}

/** A superuser's connection to one database of the server. */
export async function adminConnection(
  config: PostgresConfig,
  secret: Resolve,
  database = config.name,
): Promise<Connection> {
  const { user, password } = config.admin;
  return {
    host: config.host,
    port: config.port,
    tls: config.tls,
    user,
    database,
    password: password === undefined ? undefined : await secret(password),
  };
}

/** The pgBackRest repository that a site writes to now. */
export async function pgbackrestSite(
  config: ClusterConfig,
  backup: BackupConfig,
  secret: Resolve,
  generation: string,
): Promise<PgbackrestSite> {
  const repository = requireRepository(backup);
  return { config, repository, generation, passphrase: await secret(repository.passphrase) };
}

/**
 * Read from the site's own file: each recovery gives a site a new generation. Undefined before the first.
 *
 * @throws DrError SECRET_MISSING, TARGET_IS_ANOTHER for a file that is not ours: a new one must not replace it.
 */
export async function currentGeneration(config: ClusterConfig): Promise<string | undefined> {
  const file = config.pgbackrest.configFile;
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new DrError('SECRET_MISSING', { reference: `file:${file}`, reason: error.code }, { cause: error });
  });
  if (text === undefined) return undefined;
  const path = /^repo1-path=(.+)$/m.exec(text)?.[1];
  if (path !== undefined) return basename(path);
  throw new DrError('TARGET_IS_ANOTHER', {
    path: file,
    actual: 'somebody else: it has no repo1-path',
    expected: 'tyk-dr',
  });
}

export function requireRepository(backup: BackupConfig): NonNullable<BackupConfig['pgbackrest']> {
  if (!backup.pgbackrest) throw new Error('backup.pgbackrest is missing although a site has a database');
  return backup.pgbackrest;
}
