import { chmod, readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { rewrite } from '../files/rewrite.ts';
import { addressOf, parseInfo, withClient, type Client, type RedisEndpoint } from './client.ts';

/** A Redis that follows another one, and what either says of how far they are apart. */

export interface RedisPosition {
  readonly role: 'master' | 'replica';
  /** Bytes of the replication stream: written by a master, received by a replica. */
  readonly offset: number;
  /** Of a replica. */
  readonly master?: { readonly host: string; readonly port: number };
  readonly linkUp?: boolean;
  readonly syncing?: boolean;
  /** Of a master: the stream that it writes. */
  readonly stream?: string;
  /** Of a master that was a replica: the stream that it followed, and how far it had come. */
  readonly followed?: { readonly stream: string; readonly offset: number };
}

export async function redisPosition(client: Client): Promise<RedisPosition> {
  const info = parseInfo(await client.info('replication'));
  if (info['role'] === 'master') {
    // The first byte of its own; -1 where it never followed.
    const own = Number(info['second_repl_offset'] ?? -1);
    return {
      ...{ role: 'master', offset: Number(info['master_repl_offset']) },
      stream: info['master_replid'] ?? '',
      ...(own < 0 ? {} : { followed: { stream: info['master_replid2'] ?? '', offset: own - 1 } }),
    };
  }
  return {
    role: 'replica',
    offset: Number(info['slave_repl_offset'] ?? 0),
    master: { host: info['master_host'] ?? '', port: Number(info['master_port']) },
    linkUp: info['master_link_status'] === 'up',
    syncing: info['master_sync_in_progress'] === '1',
  };
}

/**
 * Makes this Redis follow another, and keeps that over a restart (CONFIG REWRITE). May be repeated.
 *
 * @param isWritable Dashboard and Gateways run on it already: what they note of themselves (registrations, probes) stays
 *   with this server, and nothing of it reaches its master

 * @returns why it is not kept, where the server has no configuration file that it may write
 */
export async function follow(
  replica: RedisEndpoint,
  source: RedisEndpoint,
  isWritable: boolean,
): Promise<{ readonly notKept?: string }> {
  return withClient(replica, async (client) => {
    const { role, master } = await redisPosition(client);
    // All three in any case: what it knew of another master would keep it out of this one.
    await client.config('SET', 'masteruser', source.username ?? '');
    await client.config('SET', 'masterauth', source.password?.reveal() ?? '');
    await setTls(client, source.tls !== undefined);
    await client.config('SET', 'replica-read-only', isWritable ? 'no' : 'yes');
    const { host, port } = masterOf(source);
    const follows = role === 'replica' && master?.host === host && master.port === port;
    if (!follows) await client.replicaof(host, port);
    return keep(client);
  });
}

/** A server that was built without TLS has no such setting, and needs none. */
async function setTls(client: Client, isWanted: boolean): Promise<void> {
  const [name] = await client.config('GET', 'tls-replication');
  if (isWanted || name !== undefined) await client.config('SET', 'tls-replication', isWanted ? 'yes' : 'no');
}

/** Waits until the whole data are there and the stream runs. @throws DrError REPLICA_NOT_LEVEL */
export async function awaitLink(
  replica: RedisEndpoint,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<RedisPosition> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const position = await withClient(replica, redisPosition);
    if (position.role === 'replica' && position.linkUp && !position.syncing) return position;
    if (Date.now() > deadline)
      throw new DrError('REPLICA_NOT_LEVEL', {
        store: 'Redis',
        address: addressOf(replica),
        reason: position.role === 'master' ? 'it is a master' : 'the link to its master is down',
      });
    await sleep(POLL_MS, undefined, { signal });
  }
}

const POLL_MS = 50;

/** Takes command of its data: from here on it is written to. @returns whether it was a replica */
export async function promoteRedis(client: Client): Promise<boolean> {
  const { role } = await redisPosition(client);
  if (role === 'replica') await client.replicaof('NO', 'ONE');
  await keep(client);
  return role === 'replica';
}

/** Redis writes its file anew, readable to everybody: it gets back the mode that it had. */
export async function keep(client: Client): Promise<{ readonly notKept?: string }> {
  const file = parseInfo(await client.info('server'))['config_file'] ?? '';
  const before = file === '' ? undefined : await stat(file).catch(() => undefined);
  try {
    await client.config('REWRITE');
    return {};
  } catch (error) {
    return { notKept: (error as Error).message };
  } finally {
    if (before) await chmod(file, before.mode & 0o7777);
  }
}

/** What a replica will do after a restart, by its own configuration file. */
export interface KeptMaster {
  /** `host port`; absent where its file names none, or it has none, or not here. */
  readonly master?: string;
  readonly file?: string;
  readonly masterauth?: string;
}

export async function keptMaster(client: Client): Promise<KeptMaster> {
  const file = parseInfo(await client.info('server'))['config_file'] ?? '';
  const [, masterauth = ''] = await client.config('GET', 'masterauth');
  const text = file === '' ? '' : await readFile(file, 'utf8').catch(() => '');
  const lines = [...text.matchAll(/^\s*(?:replicaof|slaveof)\s+"?([^\s"]+)"?\s+"?(\d+)"?/gim)];
  const last = lines.at(-1);
  return {
    ...(last ? { master: `${last[1]} ${last[2]}` } : {}),
    ...(file === '' ? {} : { file }),
    ...(masterauth === '' ? {} : { masterauth }),
  };
}

/** A stopped replica is told to be a master when it starts. @returns whether its file said otherwise */
export async function forgetMaster(configFile: string): Promise<boolean> {
  const text = await readFile(configFile, 'utf8').catch(() => '');
  if (text.replace(FOLLOWS, '') === text) return false;
  await rewrite(configFile, text.replace(FOLLOWS, ''));
  return true;
}

const FOLLOWS = /^\s*(?:replicaof|slaveof)\s.*\n?/gim;
const READ_ONLY = /^\s*(?:replica|slave)-read-only\s.*\n?/gim;

/**
 * A stopped server is told to be a replica from its first moment. As a master it would take the writes of whoever still
 * has its address, and drop them once it follows.
 */
export async function rememberMaster(configFile: string, source: RedisEndpoint): Promise<void> {
  const { host, port } = masterOf(source);
  const text = (await readFile(configFile, 'utf8')).replace(FOLLOWS, '').replace(READ_ONLY, '');
  const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  await rewrite(configFile, `${ended}replicaof ${host} ${port}\nreplica-read-only yes\n`);
}

const masterOf = ({ host = '127.0.0.1', port = 6379 }: RedisEndpoint) => ({ host, port });

/** Writes of clients wait, and are not refused, for so long; the stream to a replica goes on. */
export async function holdWrites(client: Client, forMs: number): Promise<void> {
  await client.call('CLIENT', 'PAUSE', String(forMs), 'WRITE');
}

export async function releaseWrites(client: Client): Promise<void> {
  await client.call('CLIENT', 'UNPAUSE');
}

/** Whoever may be made a replica by others must be able to log in to its master. */
export async function ensureMasterLogin(
  client: Client,
  { username, password }: RedisEndpoint,
): Promise<void> {
  const [, now = ''] = await client.config('GET', 'masterauth');
  if (!password || now !== '') return;
  if (username !== undefined) await client.config('SET', 'masteruser', username);
  await client.config('SET', 'masterauth', password.reveal());
  await keep(client);
}

/** What a replica that was away for a moment can catch up with. */
export async function ensureBacklog(client: Client, bytes: number): Promise<void> {
  const [, now] = await client.config('GET', 'repl-backlog-size');
  if (Number(now) >= bytes) return;
  await client.config('SET', 'repl-backlog-size', String(bytes));
  await keep(client);
}
