import { DrError } from '../../domain/errors.ts';
import type { Client } from './client.ts';
import { payloadVersion, type KeyRecord } from './dump-format.ts';
import type { Shards } from './shards.ts';

/** Puts keys into a running Redis, wherever each belongs. Putting one a second time changes nothing. */

const BATCH_KEYS = 500;
const BATCH_BYTES = 4 << 20;

export interface RestoreProgress {
  /** So many records from the beginning are in it already. */
  readonly skip?: number;
  /** Called when a batch has been acknowledged, with the number of records so far. */
  readonly onApplied?: (count: number) => Promise<void> | void;
  readonly signal?: AbortSignal | undefined;
}

/** @returns how many records the backup has. @throws DrError DATA_UNPROVEN where Redis does not take a value. */
export async function restoreKeys(
  shards: Shards,
  records: AsyncIterable<KeyRecord>,
  { skip = 0, onApplied, signal }: RestoreProgress = {},
): Promise<number> {
  let count = 0;
  let bytes = 0;
  let batch: KeyRecord[] = [];
  const apply = async (): Promise<void> => {
    await Promise.all(batch.map((record) => restoreKey(shards.of(record.key), record)));
    [batch, bytes] = [[], 0];
    await onApplied?.(count);
  };
  for await (const record of records) {
    count += 1;
    if (count <= skip) continue;
    batch.push(record);
    bytes += record.payload.length;
    if (batch.length < BATCH_KEYS && bytes < BATCH_BYTES) continue;
    signal?.throwIfAborted();
    await apply();
  }
  if (batch.length > 0) await apply();
  return count;
}

/** With an expiry in the past Redis takes the key for expired and answers OK. */
async function restoreKey(client: Client, { key, expiresAtMs, payload }: KeyRecord): Promise<void> {
  try {
    await client.call('RESTORE', key, expiresAtMs, payload, 'REPLACE', 'ABSTTL');
  } catch (error) {
    if (!(error instanceof Error) || !/payload version or checksum|Bad data format/i.test(error.message))
      throw error;
    const version = payloadVersion(payload);
    throw new DrError(
      'DATA_UNPROVEN',
      {
        what: `a value of RDB version ${version}`,
        expected: 'Redis takes it',
        actual: error.message,
      },
      { cause: error },
    );
  }
}
