import { DrError } from '../../domain/errors.ts';
import type { Client } from './client.ts';
import type { KeyRecord } from './dump-format.ts';
import { expiriesOf, GONE } from './expiry.ts';
import { isMark } from './mark.ts';
import { isAnalytics, scanKeys } from './scan.ts';
import type { Shard, Shards } from './shards.ts';
import { sizesOf } from './sizes.ts';

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
  // Whether the server tells sizes at all, asked once.
  const tells = (await sizesOf(client, [Buffer.from('tyk-dr')])) !== undefined;
  for await (const names of scanKeys(client)) {
    signal?.throwIfAborted();
    const keys = names.filter((key) => owns(key) && !isAnalytics(key) && !isMark(key));
    const bytes = (tells && (await sizesOf(client, keys))) || [];
    await refuseGiants(client, keys, bytes);
    for (const batch of groups(keys, bytes)) {
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

/** No command may be longer than this (proto-max-bulk-len): a larger value could be read, and never put back. */
const LARGEST_VALUE = 512 << 20;

async function refuseGiants(
  client: Client,
  keys: readonly Buffer[],
  bytes: readonly number[],
): Promise<void> {
  for (const [index, key] of keys.entries()) {
    if ((bytes[index] ?? 0) <= LARGEST_VALUE) continue;
    // One large element makes the estimate of many small ones too high: before anything is refused, all are counted.
    const exact = Number((await client.call('MEMORY', 'USAGE', key, 'SAMPLES', 0)) ?? 0);
    if (exact > LARGEST_VALUE) throw new DrError('VALUE_TOO_LARGE', { bytes: exact, limit: LARGEST_VALUE });
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
