import type { RedisStore } from '../redis/shards.ts';
import { openMasters, withMasters, type Shards } from '../redis/shards.ts';
import type { Marks } from './marks.ts';

/** Watermarks in Redis: one key without an expiry, a list of the newest numbers of an hour. */

const KEY = 'tyk-dr:beacon';
const MOST = 3_600;
/** Between two of these the list is a little longer: a command a second costs half of two in a transaction. */
const TRIM_EVERY = 60;

/** @throws DrError STORE_UNREACHABLE, REDIS_DENIED */
export async function openRedisMarks(store: RedisStore): Promise<Marks> {
  const shards = await openMasters(store);
  const client = shards.of(Buffer.from(KEY));
  let written = 0;
  return {
    async write(number) {
      await client.lpush(KEY, number);
      written += 1;
      if (written % TRIM_EVERY === 1) await client.ltrim(KEY, 0, MOST - 1);
    },
    close: () => closeAll(shards),
  };
}

function closeAll({ all }: Shards): void {
  for (const { client } of all) client.disconnect();
}

/** In any order; empty where there is no watermark. */
export function readRedisMarks(store: RedisStore): Promise<number[]> {
  return withMasters(store, async (shards) => {
    const found = await shards.of(Buffer.from(KEY)).lrange(KEY, 0, -1);
    return found.map(Number).filter(Number.isSafeInteger);
  });
}

/** Takes them away, as in a store that nobody has marked. */
export async function forgetRedisMarks(store: RedisStore): Promise<void> {
  await withMasters(store, (shards) => shards.of(Buffer.from(KEY)).del(KEY));
}
