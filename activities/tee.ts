import { once } from 'node:events';
import type { PassThrough } from 'node:stream';
import { rdbVersion } from '../adapters/redis/stream-rdb.ts';
import { DrError } from '../domain/errors.ts';

/**
 * An RDB, to all sinks at the pace of the slowest one.
 *
 * @param binary for the words of an error.
 * @returns the version of the RDB's format.
 * @throws DrError DATA_UNPROVEN where it is no RDB; Error where a sink was closed, whenever that was.
 */
export async function tee(
  source: AsyncIterable<Buffer>,
  binary: string,
  sinks: readonly PassThrough[],
): Promise<number> {
  let head = Buffer.alloc(0);
  try {
    for await (const chunk of source) {
      if (head.length < RDB_HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, RDB_HEAD_BYTES)]);
      const full = sinks.filter((sink) => !sink.write(chunk));
      await Promise.all(full.map(drained));
    }
    const version = rdbVersion(head);
    if (version === undefined)
      throw new DrError('DATA_UNPROVEN', {
        what: `the RDB that ${binary} streamed`,
        expected: 'REDIS and a version',
        actual: JSON.stringify(head.toString('latin1')),
      });
    for (const sink of sinks) sink.end();
    return version;
  } catch (error) {
    for (const sink of sinks) sink.destroy(error as Error);
    throw error;
  }
}

/** `REDIS0010`. */
const RDB_HEAD_BYTES = 9;

/** Leaves no listener behind: a large RDB waits here thousands of times. */
async function drained(sink: PassThrough): Promise<void> {
  // One that failed between two chunks has told so already, and will not again.
  if (sink.destroyed) throw new Error('the sink was closed');
  const over = new AbortController();
  const closed = once(sink, 'close', { signal: over.signal }).then(() => {
    throw new Error('the sink was closed');
  });
  try {
    await Promise.race([once(sink, 'drain', { signal: over.signal }), closed]);
  } finally {
    over.abort();
    closed.catch(() => undefined);
  }
}
