import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { collectFacts, type CountedFacts } from '../adapters/redis/facts.ts';
import { openRdbPipe } from '../adapters/redis/rdb-pipe.ts';
import { sameAddress } from '../adapters/host/same-address.ts';
import { isCurrent } from '../adapters/redis/sentinel.ts';
import { addressText, settledView, withSentinels } from '../adapters/redis/sentinels.ts';
import { withScratchRedis } from '../adapters/redis/scratch.ts';
import { streamRdb } from '../adapters/redis/stream-rdb.ts';
import { parseInfo, withClient, type RedisEndpoint } from '../adapters/redis/client.ts';
import type { PartResult } from '../domain/backup.ts';
import type { RedisConfig } from '../domain/config.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { ManifestObject } from '../domain/manifest.ts';
import { backUpByCommands } from './backup-redis-commands.ts';
import { redisEndpoint, sentinelsOf } from './endpoints.ts';
import type { BackupCall } from './guard.ts';
import { beginPart, scratchPath } from './leftovers.ts';
import { sealObject } from './seal-object.ts';
import { tee } from './tee.ts';

/**
 * Redis as a streamed RDB: sealed while it arrives and, at the same time, loaded and counted by a scratch server, which
 * reads it from a named pipe beside the site's own data.
 */
export async function backUpRedis(call: BackupCall): Promise<PartResult> {
  const { site, input } = call;
  const config = site.redis;
  if (!config) return { summary: 'no Redis in this deployment', objects: [] };
  await beginPart(call);
  if (config.method === 'commands') return backUpByCommands(call, config);
  const { endpoint, told } = await currentServer(call, config);
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
    const { object, format, counted: both } = await sealAndCount(call, config, endpoint, scratch);
    const { samples, ...counted } = both;
    return {
      summary: `${counted.keys} keys, ${counted.expires} with an expiry, ${formatBytes(object.plain.bytes)} as ${formatBytes(object.cipher.bytes)}${told}`,
      objects: [object, await sealObject(call, 'redis-samples', Readable.from([JSON.stringify(samples)]))],
      redis: { version, rdbVersion: format, takenAt, ...counted },
      versions: { redis: version },
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/**
 * The site's own, while it is the master or level with it; else the master that the Sentinels name, on whichever site. A
 * set of one that fell behind would be older than it says.
 */
async function currentServer(
  { secret }: BackupCall,
  config: RedisConfig,
): Promise<{ endpoint: RedisEndpoint; told: string }> {
  const own = await redisEndpoint(config, secret);
  const group = await sentinelsOf(config, secret);
  if (!group) return { endpoint: own, told: '' };
  const { master } = await withSentinels(group, settledView);
  if (await sameAddress(master, config)) return { endpoint: own, told: '' };
  const named = { ...own, ...master };
  const level = await withClient(named, (there) => withClient(own, (here) => isCurrent(here, there))).catch(
    () => false,
  );
  return level
    ? { endpoint: own, told: `, from a replica of ${addressText(master)}` }
    : { endpoint: named, told: `, from the master ${addressText(master)}` };
}

/** All of it at once: what the live server sends is never waited for twice. */
async function sealAndCount(
  call: BackupCall,
  config: RedisConfig,
  endpoint: RedisEndpoint,
  scratch: string,
): Promise<{ object: ManifestObject; format: number; counted: CountedFacts }> {
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, over.signal]);
  const toSeal = new PassThrough();
  const toLoad = new PassThrough();
  const pipe = await openRdbPipe(join(scratch, 'dump.rdb'), signal);
  // The first to fail is the cause: what it takes down with it says less. All have ended before the folder goes.
  const failures: unknown[] = [];
  const part = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failures.push(error);
      over.abort();
      throw error;
    }
  };
  const counting = part(withScratchRedis(config.binary, scratch, collectFacts, signal, config.database));
  const sending = tee(streamRdb(endpoint, signal), config.binary, [toSeal, toLoad]).catch(
    async (error: unknown) => {
      // A sink that was closed under it: the scratch server knows why, and has ended.
      if (!(error instanceof DrError)) await Promise.allSettled([counting]);
      throw error;
    },
  );
  try {
    const [sent, sealed, counted] = await Promise.allSettled([
      part(sending),
      part(sealObject({ ...call, signal }, 'redis', toSeal)),
      counting,
      pipeline(toLoad, pipe.input),
    ]);
    if (sent.status === 'fulfilled' && sealed.status === 'fulfilled' && counted.status === 'fulfilled')
      return { object: sealed.value, format: sent.value, counted: counted.value };
    call.signal.throwIfAborted();
    throw failures.find((error) => error instanceof DrError) ?? failures[0];
  } finally {
    await pipe.close();
  }
}
