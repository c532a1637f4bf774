import type { Client } from './client.ts';

/** Few enough that a batch is gone before V8 moves it to where only a full collection removes it. */
const SCAN_COUNT = 500;

/** Raw analytics that the Pump has already taken when a backup comes back: they must not be counted twice. */
export const ANALYTICS = 'analytics-*';

export function isAnalytics(key: Buffer): boolean {
  return key.toString('latin1', 0, ANALYTICS.length - 1) === ANALYTICS.slice(0, -1);
}

/** The names of all keys, a few at a time. */
export async function* scanKeys(client: Client, pattern = '*'): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, keys] = await client.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    cursor = next.toString();
    if (keys.length > 0) yield keys;
  } while (cursor !== '0');
}
