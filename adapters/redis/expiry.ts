import { ReplyError } from 'ioredis';
import type { Client } from './client.ts';

/** When keys expire, in Unix milliseconds by the server's clock. */

/** There is no such key any more. */
export const GONE = -2;

export interface Expiries {
  readonly atMs: readonly number[];
  /** Servers before Redis 7 tell only what is left: right to the milliseconds that asking took. */
  readonly exact: boolean;
}

/** All in one pipeline. */
export async function expiriesOf(client: Client, keys: readonly Buffer[]): Promise<Expiries> {
  if (keys.length === 0) return { atMs: [], exact: true };
  const known = await Promise.all(
    keys.map((key) =>
      client.call('PEXPIRETIME', key).then(Number, (error: unknown) => {
        // One that was not answered at all is no answer about the command.
        if (error instanceof ReplyError) return undefined;
        throw error;
      }),
    ),
  );
  if (known.every((atMs) => atMs !== undefined)) return { atMs: known, exact: true };
  const [[seconds, micros], ...left] = await Promise.all([
    client.time(),
    ...keys.map((key) => client.pttl(key)),
  ]);
  const nowMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  return { atMs: left.map((ms) => (ms < 0 ? ms : nowMs + ms)), exact: false };
}
