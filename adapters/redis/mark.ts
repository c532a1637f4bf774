import { parseInfo, type Client } from './client.ts';
import { scanKeys } from './scan.ts';
import type { Shards } from './shards.ts';

/**
 * The ledger of a restore by commands lies in the target itself: a key that says which run puts which set there and
 * how far it is. It is what tells a Redis that we were filling from one that somebody uses, and it is taken away at the
 * run's close-out.
 */

const MARK = Buffer.from('tyk-dr:restore');

export interface Mark {
  readonly run: string;
  readonly set: string;
  readonly state: 'emptying' | 'restoring' | 'done';
  /** What the target held before: nothing, or what this run was told to replace. */
  readonly before: 'empty' | 'replaced';
  /** Records of the backup that are in it for certain. */
  readonly applied: number;
  /** The servers' own ids of this life: after a restart the last second may be missing. */
  readonly servers: string;
}

export function isMark(key: Buffer): boolean {
  return key.equals(MARK);
}

export async function readMark(shards: Shards): Promise<Mark | undefined> {
  const fields = await shards.of(MARK).hgetall(MARK);
  if (fields['run'] === undefined) return undefined;
  return { ...(fields as unknown as Mark), applied: Number(fields['applied'] ?? 0) };
}

export async function writeMark(shards: Shards, mark: Mark): Promise<void> {
  await shards.of(MARK).hset(MARK, mark as unknown as Record<string, string>);
}

/** @returns whether there was one. */
export async function removeMark(shards: Shards): Promise<boolean> {
  return (await shards.of(MARK).del(MARK)) === 1;
}

export async function serversOf({ all }: Shards): Promise<string> {
  const infos = await Promise.all(all.map(({ client }) => client.info('server')));
  return infos.map((info) => parseInfo(info)['run_id'] ?? 'unknown').join(' ');
}

/** Keys in the database, the mark not counted. */
export async function countKeys(shards: Shards): Promise<number> {
  const sizes = await Promise.all(shards.all.map(({ client }) => client.dbsize()));
  const marks = await shards.of(MARK).exists(MARK);
  return sizes.reduce((sum, size) => sum + size, 0) - marks;
}

/** Takes every key but the mark out, without a stall. @returns how many. */
export async function emptyDatabase(shards: Shards, signal?: AbortSignal): Promise<number> {
  let removed = 0;
  for (const { client } of shards.all) removed += await emptyShard(client, signal);
  return removed;
}

async function emptyShard(client: Client, signal?: AbortSignal): Promise<number> {
  let removed = 0;
  for await (const keys of scanKeys(client)) {
    signal?.throwIfAborted();
    // One by one: keys of a Cluster's node lie in many slots.
    const gone = await Promise.all(keys.filter((key) => !isMark(key)).map((key) => client.unlink(key)));
    removed += gone.filter((count) => count === 1).length;
  }
  return removed;
}
