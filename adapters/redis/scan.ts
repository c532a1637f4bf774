import type { Client } from './client.ts';

/** Few enough that a batch is gone before V8 moves it to where only a full collection removes it. */
const SCAN_COUNT = 500;

/** Raw analytics that the Pump has already taken when a backup comes back: they must not be counted twice. */
export const ANALYTICS = 'analytics-*';

export function isAnalytics(key: Buffer): boolean {
  return key.toString('latin1', 0, ANALYTICS.length - 1) === ANALYTICS.slice(0, -1);
}

type Reply = Promise<[cursor: Buffer, keys: Buffer[]]>;

/** The names of all keys, a few at a time; the server looks for the next ones meanwhile. */
export async function* scanKeys(client: Client, pattern = '*'): AsyncGenerator<Buffer[]> {
  const ask = (cursor: string): Reply => {
    const reply = client.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
    // Whoever stops early has no use for it any more.
    reply.catch(() => undefined);
    return reply;
  };
  for (let reply: Reply | undefined = ask('0'); reply !== undefined;) {
    const [next, keys] = await reply;
    const cursor: string = next.toString();
    reply = cursor === '0' ? undefined : ask(cursor);
    if (keys.length > 0) yield keys;
  }
}
