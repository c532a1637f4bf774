import type { Redis } from 'ioredis';
import { log, reasonOf } from '../gateway/log.ts';
import { ANALYTICS_LIST, decodeAnalyticsRecord, type AnalyticsRecord } from '../tyk/analytics-record.ts';

/** Every list that Gateways push into: the single one, and the ten of `enable_multiple_analytics_keys`. */
export const LISTS: readonly string[] = [
  ANALYTICS_LIST,
  ...Array.from({ length: 10 }, (_, index) => `${ANALYTICS_LIST}_${index}`),
];

export interface Chunk {
  /** How many entries left the list, those included that are no records. */
  readonly popped: number;
  readonly records: readonly AnalyticsRecord[];
}

/**
 * Takes the oldest entries off a list: from here on they are in this process only. Entries that are no records are
 * reported and dropped.
 *
 * @throws Error where Redis does not answer or the key is no list.
 */
export async function pop(redis: Redis, list: string, atMost: number): Promise<Chunk> {
  const results = await redis
    .multi()
    .lrangeBuffer(list, 0, atMost - 1)
    .ltrim(list, atMost, -1)
    .exec();
  const failure = results?.find(([error]) => error)?.[0];
  if (failure) throw failure;
  const entries = (results?.[0]?.[1] ?? []) as Buffer[];
  const records = entries.flatMap((entry) => decoded(entry, list));
  return { popped: entries.length, records };
}

function decoded(entry: Buffer, list: string): AnalyticsRecord[] {
  try {
    return [decodeAnalyticsRecord(entry)];
  } catch (error) {
    log('error', `an entry of ${list} is no record: ${reasonOf(error)}`);
    return [];
  }
}
