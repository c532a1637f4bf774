import { createReadStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeRecords, type KeyRecord } from '../adapters/redis/dump-format.ts';
import { dumpKeys } from '../adapters/redis/dump-keys.ts';
import { restoreKeys } from '../adapters/redis/restore-keys.ts';
import { withScratchRedis } from '../adapters/redis/scratch.ts';
import { shardsOf } from '../adapters/redis/shards.ts';
import type { RedisConfig } from '../domain/config.ts';
import type { Manifest } from '../domain/manifest.ts';
import { openPartIntoFile, type Where } from './open-set.ts';

/**
 * The Redis of a set as the target's method needs it, whichever method saved it: who changes the method, or moves
 * from a server of his own to a managed one, keeps the sets that he has. A scratch server translates.
 */

/** As an RDB file. */
export async function openAsRdb(
  where: Where,
  manifest: Manifest,
  { binary, database }: RedisConfig,
  file: string,
): Promise<void> {
  if (manifest.redis?.method !== 'commands') return openPartIntoFile(where, manifest, 'redis', file);
  await inFolder(join(dirname(file), '.tyk-dr-keys'), async (folder) => {
    const keys = join(folder, 'keys');
    await openPartIntoFile(where, manifest, 'redis', keys);
    const load = async (client: Parameters<typeof dumpKeys>[0]['all'][0]['client']): Promise<void> => {
      await restoreKeys(shardsOf(client), decodeRecords(createReadStream(keys)), { signal: where.signal });
      await client.save();
    };
    await withScratchRedis(binary, folder, load, where.signal, database);
    await rename(join(folder, 'dump.rdb'), file);
  });
}

/** Keys to be put in one by one. Whatever gives them has been authenticated to its end before the first is given. */
export interface OpenedKeys {
  readonly records: AsyncIterable<KeyRecord>;
  /** Whether they come in the same order each time. */
  readonly ordered: boolean;
}

/** As keys. The clear copy lies in `folder` as long as `work` goes on. */
export async function withKeysOfSet<T>(
  where: Where,
  manifest: Manifest,
  { binary, database }: RedisConfig,
  folder: string,
  work: (opened: OpenedKeys) => Promise<T>,
): Promise<T> {
  return inFolder(folder, async () => {
    if (manifest.redis?.method !== 'commands') {
      await openPartIntoFile(where, manifest, 'redis', join(folder, 'dump.rdb'));
      return withScratchRedis(
        binary,
        folder,
        (client) => work({ records: flat(dumpKeys(shardsOf(client), where.signal)), ordered: false }),
        where.signal,
        database,
      );
    }
    const file = join(folder, 'keys');
    await openPartIntoFile(where, manifest, 'redis', file);
    for await (const record of decodeRecords(createReadStream(file))) void record;
    return work({ records: decodeRecords(createReadStream(file)), ordered: true });
  });
}

async function* flat(batches: AsyncIterable<readonly KeyRecord[]>): AsyncGenerator<KeyRecord> {
  for await (const batch of batches) yield* batch;
}

/** What a killed attempt left there is nothing. */
async function inFolder<T>(folder: string, work: (folder: string) => Promise<T>): Promise<T> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
