import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { collectFacts } from '../adapters/redis/facts.ts';
import { withScratchRedis } from '../adapters/redis/scratch.ts';
import { rdbVersion, streamRdb } from '../adapters/redis/stream-rdb.ts';
import { parseInfo, withClient } from '../adapters/redis/client.ts';
import type { PartResult } from '../domain/backup.ts';
import type { RedisConfig } from '../domain/config.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { backUpByCommands } from './backup-redis-commands.ts';
import { redisEndpoint } from './endpoints.ts';
import type { BackupCall } from './guard.ts';
import { beginPart, scratchPath } from './leftovers.ts';
import { sealObject } from './seal-object.ts';

/**
 * Redis as a streamed RDB: sealed while it arrives and, at the same time, kept once in the clear beside the site's
 * own data, where a scratch server loads and counts it. Then the clear copy is removed.
 */
export async function backUpRedis(call: BackupCall): Promise<PartResult> {
  const { site, input, signal } = call;
  const config = site.redis;
  if (!config) return { summary: 'no Redis in this deployment', objects: [] };
  await beginPart(call);
  if (config.method === 'commands') return backUpByCommands(call, config);
  const endpoint = await redisEndpoint(config, call.secret);
  const version = await withClient(
    endpoint,
    async (client) => parseInfo(await client.info('server'))['redis_version'] ?? 'unknown',
  );
  const scratch = scratchPath(site, 'scratch', input.set);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    call.progress('streaming the RDB');
    const takenAt = new Date().toISOString();
    const stream = streamRdb(endpoint, signal);
    const toSeal = new PassThrough();
    const toScratch = new PassThrough();
    const file = join(scratch, 'dump.rdb');
    const [object] = await Promise.all([
      sealObject(call, 'redis', toSeal),
      pipeline(toScratch, createWriteStream(file, { mode: 0o600 })),
      tee(stream, [toSeal, toScratch]),
    ]);
    const format = await formatOf(file, config);
    call.progress('counting in a scratch instance');
    const { samples, ...counted } = await withScratchRedis(
      config.binary,
      scratch,
      collectFacts,
      signal,
      config.database,
    );
    return {
      summary: `${counted.keys} keys, ${counted.expires} with an expiry, ${formatBytes(object.plain.bytes)} as ${formatBytes(object.cipher.bytes)}`,
      objects: [object, await sealObject(call, 'redis-samples', Readable.from([JSON.stringify(samples)]))],
      redis: { version, rdbVersion: format, takenAt, ...counted },
      versions: { redis: version },
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function formatOf(file: string, { binary }: RedisConfig): Promise<number> {
  const handle = await open(file, 'r');
  try {
    const head = Buffer.alloc(9);
    await handle.read(head, 0, 9, 0);
    const version = rdbVersion(head);
    if (version !== undefined) return version;
    throw new DrError('DATA_UNPROVEN', {
      what: `the RDB that ${binary} streamed`,
      expected: 'REDIS and a version',
      actual: JSON.stringify(head.toString('latin1')),
    });
  } finally {
    await handle.close();
  }
}

/** To both sinks at the pace of the slower one. */
async function tee(source: AsyncIterable<Buffer>, sinks: readonly PassThrough[]): Promise<void> {
  try {
    for await (const chunk of source) {
      const full = sinks.filter((sink) => !sink.write(chunk));
      await Promise.all(full.map(drained));
    }
    for (const sink of sinks) sink.end();
  } catch (error) {
    for (const sink of sinks) sink.destroy(error as Error);
    throw error;
  }
}

/** Leaves no listener behind: a large RDB waits here thousands of times. */
async function drained(sink: PassThrough): Promise<void> {
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
