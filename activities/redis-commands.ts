import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../adapters/process/run.ts';
import { parseInfo } from '../adapters/redis/client.ts';
import {
  countKeys,
  emptyDatabase,
  readMark,
  removeMark,
  serversOf,
  writeMark,
  type Mark,
} from '../adapters/redis/mark.ts';
import { restoreKeys } from '../adapters/redis/restore-keys.ts';
import {
  storeAddress,
  waitForMasters,
  withMasters,
  type RedisStore,
  type Shards,
} from '../adapters/redis/shards.ts';
import { requireReads } from '../adapters/redis/version.ts';
import { startService } from '../adapters/service/service.ts';
import type { RedisConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest, RedisFacts } from '../domain/manifest.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import { redisStore } from './endpoints.ts';
import type { Call } from './guard.ts';
import { manifestOf, storeOf } from './open-set.ts';
import { redisOf } from './planned-points.ts';
import { proof } from './proofs.ts';
import { withKeysOfSet, type OpenedKeys } from './redis-object.ts';
import { serves, serviceOf } from './site.ts';
import { whileRunning } from './while-running.ts';

/**
 * Redis by commands: the backup is put into the running server, the master behind the Sentinels or the Cluster. A mark
 * in the target is the ledger (see `adapters/redis/mark.ts`). What was there before is not kept: so it must be empty,
 * ours, or to be replaced by the person's own word.
 */

const LOAD_TIMEOUT_MS = 10 * 60_000;

export async function restoreByCommands(call: Call, config: RedisConfig): Promise<StepResult> {
  const store = await redisStore(config, call.secret);
  await running(call, config, store);
  const key = { run: call.input.run, set: call.input.set ?? '' };
  const { manifest } = await manifestOf(storeOf(call, 'redis'));
  const facts = factsOf(manifest);
  return withMasters(store, async (shards) => {
    const before = await readMark(shards);
    if (before?.state === 'done' && isOf(before, key))
      return { summary: 'the keys are in place already', observed: true, reached: redisOf(manifest, facts) };
    await requireFit(shards, store, facts, mayReplace(call));
    call.progress('decrypting the keys');
    const folder = join(call.target.stateDir, `restore-redis-${key.set}`);
    const filled = await withKeysOfSet(storeOf(call, 'redis'), manifest, config, folder, (opened) =>
      fill(call, shards, { ...key, opened, of: facts.keys }),
    );
    return { ...filled, reached: redisOf(manifest, facts) };
  });
}

interface Filling {
  readonly run: string;
  readonly set: string;
  readonly opened: OpenedKeys;
  /** About how many keys there are. */
  readonly of: number;
}

async function fill(call: Call, shards: Shards, { run, set, opened, of }: Filling): Promise<StepResult> {
  const { signal } = call;
  const servers = await serversOf(shards);
  const found = await readMark(shards);
  const resumed = found && isOf(found, { run, set }) ? found : undefined;
  const held = await countKeys(shards);
  const first: Mark = {
    ...{ run, set, servers, state: 'emptying', applied: 0 },
    before: (resumed ?? found)?.before ?? (held > 0 ? 'replaced' : 'empty'),
  };
  let mark = resumed ?? first;
  let removed = 0;
  if (mark.state === 'emptying') {
    await writeMark(shards, first);
    call.progress('removing what is there');
    removed = await emptyDatabase(shards, signal);
  }
  // Another life of a server may have lost the last second; another order makes the number meaningless.
  const skip = mark.state === 'restoring' && opened.ordered && mark.servers === servers ? mark.applied : 0;
  mark = { ...mark, servers, state: 'restoring', applied: skip };
  await writeMark(shards, mark);
  const count = await restoreKeys(shards, opened.records, {
    skip,
    signal,
    onApplied: async (applied) => {
      call.progress(`${applied} of ${of} keys`);
      await writeMark(shards, { ...mark, applied });
    },
  });
  await writeMark(shards, { ...mark, state: 'done', applied: count });
  const parts = [
    `${count} keys put into Redis`,
    ...(skip > 0 ? [`${skip} of them before this attempt`] : []),
    ...(removed > 0 ? [`${removed} that were there removed`] : []),
  ];
  return { summary: parts.join(', ') };
}

/** Everything that can be refused, before anything is changed. */
async function requireFit(
  shards: Shards,
  store: RedisStore,
  facts: RedisFacts,
  replace: boolean,
): Promise<{ versions: string; keys: number }> {
  const infos = await Promise.all(shards.all.map(({ client }) => client.info('server')));
  const versions = infos.map((info) => parseInfo(info)['redis_version'] ?? 'unknown');
  for (const version of versions) requireReads(version, facts.rdbVersion, facts.version);
  const keys = await countKeys(shards);
  if (keys > 0 && !replace && !(await readMark(shards)))
    throw new DrError('REDIS_NOT_EMPTY', { address: storeAddress(store), keys });
  return { versions: [...new Set(versions)].join(', '), keys };
}

/** The same, for a Redis that runs already, when the plan is checked. */
export async function checkRunningRedis(call: Call, manifest: Manifest): Promise<Proof[]> {
  const { worker, target, input } = call;
  const { redis } = target;
  const restores = input.plan.steps.includes('restore-redis-data');
  if (!redis || redis.method !== 'commands' || redis.service || !manifest.redis) return [];
  if (!restores || !serves(worker, target, redis)) return [];
  const facts = manifest.redis;
  const store = await redisStore(redis, call.secret);
  const found = await withMasters(store, (shards) => requireFit(shards, store, facts, mayReplace(call)));
  const keys =
    found.keys === 0
      ? 'empty'
      : `${found.keys} keys, which ${mayReplace(call) ? 'are replaced' : 'are ours'}`;
  return [
    proof(
      'the running Redis takes the keys',
      true,
      `RDB ${facts.rdbVersion} of Redis ${facts.version}; empty, ours or in place`,
      `Redis ${found.versions}; ${keys}`,
    ),
  ];
}

/** @returns what became of the keys. */
export async function undoByCommands(call: Call, config: RedisConfig): Promise<string> {
  const store = await redisStore(config, call.secret);
  try {
    return await withMasters(store, async (shards) => {
      const mark = await readMark(shards);
      if (mark?.run !== call.input.run) return 'this run had put nothing into Redis';
      if (mark.before === 'replaced')
        return 'Redis keeps what this run put there; what it held before was removed for it';
      const removed = await emptyDatabase(shards, call.signal);
      await removeMark(shards);
      return `${removed} keys taken out of Redis again: it is empty, as it was`;
    });
  } catch (error) {
    // The run has stopped what it could stop.
    if (!(error instanceof DrError) || error.code !== 'STORE_UNREACHABLE' || !config.service) throw error;
    return 'Redis is stopped; keys that this run put there bear its mark, and the next recovery replaces them';
  }
}

/** At close-out: from here on the keys are the site's own. @returns whether there was a mark. */
export async function releaseByCommands(call: Call, config: RedisConfig): Promise<boolean> {
  return withMasters(await redisStore(config, call.secret), async (shards) => {
    return (await readMark(shards))?.run === call.input.run && removeMark(shards);
  });
}

/** Starts it where it is ours to start, and waits until all of it answers. */
async function running(
  { input, target, signal }: Call,
  config: RedisConfig,
  store: RedisStore,
): Promise<void> {
  if (!config.service) return;
  const { dataDir, runAs } = config;
  // With the site its folder may be gone, too, without which the server does not start.
  const made = dataDir === undefined ? undefined : await mkdir(dataDir, { recursive: true, mode: 0o750 });
  if (made !== undefined && runAs !== undefined && process.getuid?.() === 0)
    await run(['chown', '-R', `${runAs}:`, made]);
  const service = serviceOf(input.plan.to, target, 'redis');
  await startService(service, signal);
  await whileRunning(service, signal, (either) => waitForMasters(store, LOAD_TIMEOUT_MS, either));
}

function mayReplace({ input }: Call): boolean {
  return input.plan.inPlace || input.plan.component !== undefined;
}

function isOf(mark: Mark, { run, set }: { run: string; set: string }): boolean {
  return mark.run === run && mark.set === set;
}

function factsOf(manifest: Manifest): RedisFacts {
  if (!manifest.redis) throw new DrError('OBJECT_MISSING', { object: 'redis', set: manifest.set });
  return manifest.redis;
}
