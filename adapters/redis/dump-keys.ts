import type { Client } from './client.ts';
import type { KeyRecord } from './dump-format.ts';
import { expiriesOf, GONE } from './expiry.ts';
import { isMark } from './mark.ts';
import { isAnalytics, scanKeys } from './scan.ts';
import type { Shard, Shards } from './shards.ts';

/**
 * Every key of a running Redis by commands alone, for one without file access: names by SCAN, values by DUMP, a few at
 * a time, so that no client waits for long and our memory stays small. It is no snapshot of one moment: a key that is
 * written meanwhile comes as it was when it was reached.
 */

/** Values that are asked for together. */
const BATCH_KEYS = 200;
const BATCH_BYTES = 4 << 20;

export async function* dumpKeys(shards: Shards, signal?: AbortSignal): AsyncGenerator<KeyRecord[]> {
  // One after the other: a backup is not in a hurry, and each master serves clients.
  for (const shard of shards.all) yield* dumpShard(shard, signal);
}

async function* dumpShard({ client, owns }: Shard, signal?: AbortSignal): AsyncGenerator<KeyRecord[]> {
  const measure = await knowsMemoryUsage(client);
  for await (const names of scanKeys(client)) {
    signal?.throwIfAborted();
    const keys = names.filter((key) => owns(key) && !isAnalytics(key) && !isMark(key));
    for (const batch of groups(keys, measure ? await sizes(client, keys) : [])) {
      // Value and expiry directly behind each other in one pipeline: as near to one moment as commands get.
      const [payloads, { atMs }] = await Promise.all([
        Promise.all(batch.map((key) => client.dumpBuffer(key) as Promise<Buffer | null>)),
        expiriesOf(client, batch),
      ]);
      yield batch.flatMap((key, index) => {
        const payload = payloads[index];
        // It has expired or was deleted since its name was read.
        return payload && atMs[index] !== GONE
          ? [{ key, payload, expiresAtMs: Math.max(0, atMs[index]!) }]
          : [];
      });
    }
  }
}

/** Many small values together, a large one alone. Where sizes are not to be had, only the number counts. */
function* groups(keys: readonly Buffer[], bytes: readonly number[]): Generator<Buffer[]> {
  let group: Buffer[] = [];
  let sum = 0;
  for (const [index, key] of keys.entries()) {
    const size = bytes[index] ?? 0;
    if (group.length > 0 && (group.length === BATCH_KEYS || sum + size > BATCH_BYTES)) {
      yield group;
      [group, sum] = [[], 0];
    }
    group.push(key);
    sum += size;
  }
  if (group.length > 0) yield group;
}

async function knowsMemoryUsage(client: Client): Promise<boolean> {
  return client.call('MEMORY', 'USAGE', 'tyk-dr').then(
    () => true,
    () => false,
  );
}

/** An estimate from one element each, which costs the server next to nothing. */
async function sizes(client: Client, keys: readonly Buffer[]): Promise<number[]> {
  const usages = await Promise.all(keys.map((key) => client.call('MEMORY', 'USAGE', key, 'SAMPLES', 1)));
  return usages.map((usage) => Number(usage ?? 0));
}
