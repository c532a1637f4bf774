import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseInfo, type Client } from '../adapters/redis/client.ts';
import { encodeRecords, payloadVersion, type KeyRecord } from '../adapters/redis/dump-format.ts';
import { dumpKeys } from '../adapters/redis/dump-keys.ts';
import { collectFacts } from '../adapters/redis/facts.ts';
import { restoreKeys } from '../adapters/redis/restore-keys.ts';
import { withScratchRedis } from '../adapters/redis/scratch.ts';
import {
  shardsOf,
  storeAddress,
  withMasters,
  withReaders,
  type RedisStore,
  type Shards,
} from '../adapters/redis/shards.ts';
import { redisVersion, requireReads } from '../adapters/redis/version.ts';
import type { PartResult } from '../domain/backup.ts';
import type { RedisConfig } from '../domain/config.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { redisStore } from './endpoints.ts';
import type { BackupCall } from './guard.ts';
import { sealObject } from './seal-object.ts';

/**
 * Redis by commands: key by key from a replica where one is current, sealed as it comes and at the same time put into
 * a scratch server, where what was sealed is counted. Nothing of it lies in the clear on a disk.
 */
export async function backUpByCommands(call: BackupCall, config: RedisConfig): Promise<PartResult> {
  const { site, input, signal } = call;
  const store = await redisStore(config, call.secret);
  const scratch = join(site.stateDir, `scratch-${input.set}`);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const takenAt = new Date().toISOString();
  try {
    const before = await replicationStamp(store);
    const taken = await withReaders(store, (shards) =>
      withScratchRedis(
        config.binary,
        scratch,
        (client) => takeKeys(call, config, shards, client),
        signal,
        config.database,
      ),
    );
    // A replica that was filled anew meanwhile, or a slot that moved, would have hidden keys from the walk.
    if ((await replicationStamp(store)) !== before)
      throw new DrError('STORE_UNREACHABLE', {
        store: 'Redis',
        address: storeAddress(store),
        reason:
          'its nodes changed places or were filled anew while they were read; a later attempt begins anew',
      });
    const { object, counted, samples, version, rdbVersion, from } = taken;
    return {
      summary: `${counted.keys} keys from ${from}, ${counted.expires} with an expiry, ${formatBytes(object.plain.bytes)} as ${formatBytes(object.cipher.bytes)}`,
      objects: [object, await sealObject(call, 'redis-samples', Readable.from([JSON.stringify(samples)]))],
      redis: {
        ...{ version, rdbVersion, takenAt, ...counted },
        method: 'commands',
        endedAt: new Date().toISOString(),
      },
      versions: { redis: version },
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function takeKeys(call: BackupCall, { binary }: RedisConfig, shards: Shards, scratch: Client) {
  const version = await newestVersion(shards);
  const own = await redisVersion(binary);
  let rdbVersion = 0;
  let count = 0;
  async function* mirrored(): AsyncGenerator<KeyRecord[]> {
    for await (const batch of dumpKeys(shards, call.signal)) {
      const newest = Math.max(0, ...batch.map(({ payload }) => payloadVersion(payload)));
      if (newest > rdbVersion) requireReads(own, newest, version, `(${binary}), which proves the backup,`);
      rdbVersion = Math.max(rdbVersion, newest);
      await restoreKeys(shardsOf(scratch), each(batch));
      count += batch.length;
      call.progress(`${count} keys`);
      yield batch;
    }
  }
  const object = await sealObject(
    call,
    'redis',
    Readable.from(encodeRecords(mirrored()), { objectMode: false }),
  );
  call.progress('counting in a scratch instance');
  const { samples, ...counted } = await collectFacts(scratch);
  const replicas = shards.all.filter(({ role }) => role === 'replica').length;
  const masters = shards.all.length - replicas;
  const from = [
    ...(replicas > 0 ? [replicas === 1 ? 'a replica' : `${replicas} replicas`] : []),
    ...(masters > 0 ? [masters === 1 ? 'the master' : `${masters} masters`] : []),
  ].join(' and ');
  return { object, counted, samples, version, rdbVersion, from };
}

async function* each(records: readonly KeyRecord[]): AsyncGenerator<KeyRecord> {
  yield* records;
}

async function newestVersion({ all }: Shards): Promise<string> {
  const infos = await Promise.all(all.map(({ client }) => client.info('server')));
  return infos
    .map((info) => parseInfo(info)['redis_version'] ?? 'unknown')
    .sort()
    .at(-1)!;
}

/** Changes when a master, a slot or the data of a replica does. */
async function replicationStamp(store: RedisStore): Promise<string> {
  return withMasters(store, async ({ all, layout }) => {
    const infos = await Promise.all(
      all.map(({ client }) => Promise.all([client.info('server'), client.info('stats')])),
    );
    const lives = infos.map(([server, stats]) => [
      parseInfo(server)['run_id'],
      parseInfo(stats)['sync_full'],
    ]);
    return JSON.stringify([layout, lives]);
  });
}
