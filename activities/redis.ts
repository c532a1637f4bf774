import { mkdir, rm } from 'node:fs/promises';
import { folderBytes } from '../adapters/files/disk.ts';
import {
  observeSwitch,
  switchIn,
  switchPaths,
  writeLedger,
  type StepKey,
  type SwitchPaths,
} from '../adapters/files/switch-in.ts';
import { run } from '../adapters/process/run.ts';
import { finishDataDir, rdbFile } from '../adapters/redis/append-only-dir.ts';
import { compareFacts, dropAnalytics } from '../adapters/redis/facts.ts';
import { countKeys } from '../adapters/redis/mark.ts';
import { waitForMasters, withMasters } from '../adapters/redis/shards.ts';
import { appendOnlySetting } from '../adapters/redis/server-config.ts';
import { serviceState, startService } from '../adapters/service/service.ts';
import type { RedisConfig } from '../domain/config.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Proof, StepResult } from '../domain/run.ts';
import { redisStore } from './endpoints.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { manifestOf, openRedisFacts, storeOf } from './open-set.ts';
import { redisOf, SHIPPED_LOG } from './planned-points.ts';
import { notMeasured, proof, requireProofs } from './proofs.ts';
import { restoreByCommands } from './redis-commands.ts';
import { restoreShippedLog, usedLog } from './redis-log.ts';
import { openAsRdb } from './redis-object.ts';
import { serviceOf } from './site.ts';
import { settleWithSentinels, tellRole } from './watched-redis.ts';
import { whileRunning } from './while-running.ts';

/** Redis: built beside the old data and switched in, or put into the running server; started, compared. */

const LOAD_TIMEOUT_MS = 10 * 60_000;

export function createRedisActivities(deps: Deps) {
  return {
    'restore-redis-data': guarded(deps, 'mutate', restoreRedisData),
    'start-redis': guarded(deps, 'mutate', startRedis),
    'prove-redis': guarded(deps, 'probe', proveRedis),
  };
}

async function restoreRedisData(call: Call): Promise<StepResult> {
  const config = redisConfigOf(call);
  if (config.method === 'commands') return restoreByCommands(call, config);
  const paths = switchPaths(config.dataDir!, call.input.run);
  const key: StepKey = { run: call.input.run, step: call.input.step, set: call.input.set ?? '' };
  const state = await observeSwitch(paths, key);
  if (state === 'done')
    return {
      summary: 'the restored data are in place already',
      observed: true,
      ...(await reached(call, config)),
    };
  const staged = state === 'absent' ? await stage(call, config, paths, key) : undefined;
  const bytes = await folderBytes(paths.stagingDir);
  await switchIn(paths, key);
  const told = staged?.told === undefined ? '' : `, ${staged.told}`;
  return {
    summary: `${formatBytes(bytes)} restored beside the old data and switched in${told}`,
    ...(await reached(call, config)),
    ...(staged?.proofs ? { proofs: staged.proofs } : {}),
  };
}

/** The moment that Redis is of, now that its data are in place. */
async function reached(call: Call, config: RedisConfig): Promise<Pick<StepResult, 'reached'>> {
  const log = await usedLog(call, config);
  if (log) return { reached: { store: 'redis', at: log.holdsUntil, from: SHIPPED_LOG } };
  const { manifest } = await manifestOf(storeOf(call, 'redis'));
  return manifest.redis ? { reached: redisOf(manifest, manifest.redis) } : {};
}

interface Staged {
  readonly told?: string;
  readonly proofs?: readonly Proof[];
}

async function stage(call: Call, config: RedisConfig, paths: SwitchPaths, key: StepKey): Promise<Staged> {
  // The rest of an attempt that was killed has no ledger: it is nothing.
  await rm(paths.stagingDir, { recursive: true, force: true });
  await mkdir(paths.stagingDir, { recursive: true, mode: 0o750 });
  const where = storeOf(call, 'redis');
  const { manifest } = await manifestOf(where);
  const appendOnly = await appendOnlySetting(config.configFile);
  const staged = await stageLog(call, config, manifest, paths.stagingDir, appendOnly);
  if (staged.told === undefined || staged.proofs) {
    call.progress('decrypting the RDB');
    await openAsRdb(where, manifest, config, await rdbFile(paths.stagingDir, appendOnly));
    await finishDataDir(paths.stagingDir, appendOnly);
  }
  await writeLedger(paths.stagingDir, key);
  if (config.runAs !== undefined && process.getuid?.() === 0)
    await run(['chown', '-R', `${config.runAs}:`, paths.stagingDir]);
  return staged;
}

/** The shipped log where it is newer. One that cannot be used is said, never passed over in silence. */
async function stageLog(
  call: Call,
  redis: RedisConfig,
  manifest: Manifest,
  stagingDir: string,
  appendOnly: boolean,
): Promise<Staged> {
  try {
    return (await restoreShippedLog(call, manifest, { redis, stagingDir, appendOnly })) ?? {};
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    await rm(stagingDir, { recursive: true, force: true });
    await mkdir(stagingDir, { recursive: true, mode: 0o750 });
    return {
      told: 'without the shipped append-only log, which cannot be used',
      proofs: [notMeasured('Redis is as new as its shipped log', error.message)],
    };
  }
}

async function startRedis(call: Call): Promise<StepResult> {
  const { target, input, signal } = call;
  const config = redisConfigOf(call);
  const store = await redisStore(config, call.secret);
  const service = config.service && serviceOf(input.plan.to, target, 'redis');
  if (service && (await serviceState(service)) === 'stopped') await tellRole(call, config);
  const started = service !== undefined && (await startService(service, signal));
  call.progress('loading');
  const ready = (until: AbortSignal): Promise<void> => waitForMasters(store, LOAD_TIMEOUT_MS, until);
  await (service ? whileRunning(service, signal, ready) : ready(signal));
  const { told = '', exception } = await settleWithSentinels(call, config);
  return withMasters(store, async (shards) => {
    const restored = input.plan.steps.includes('restore-redis-data');
    // What commands put there has none, and a managed Redis may not allow the search for them.
    const dropped = restored && config.method === 'files' ? await dropAnalytics(shards) : 0;
    const keys = await countKeys(shards);
    const what = started ? 'started' : 'ran already';
    // Where it was not restored nothing else tells an empty Redis from a healthy one.
    const proofs = restored
      ? []
      : [proof('Redis, which was not restored, has its keys', keys > 0, 'some', keys)];
    requireProofs(proofs);
    return {
      summary: `${what}, ${keys} keys${restored ? `, ${dropped} old analytics lists dropped` : ''}${told}`,
      observed: !started,
      proofs,
      ...(exception === undefined ? {} : { exception }),
    };
  });
}

async function proveRedis(call: Call): Promise<StepResult> {
  const where = storeOf(call, 'redis');
  const { manifest } = await manifestOf(where);
  const facts = (await usedLog(call, redisConfigOf(call)))?.facts ?? (await openRedisFacts(where, manifest));
  if (!facts) return { summary: 'the set has no Redis' };
  // One component is recovered in place: the Gateways beside it have found their Redis again and write.
  const inUse = call.input.plan.component !== undefined || call.input.inUse === true;
  const proofs = await withMasters(await redisStore(redisConfigOf(call), call.secret), (shards) =>
    compareFacts(facts, shards, { inUse }),
  );
  return {
    summary: `${proofs[0]!.actual} keys; ${proofs[1]!.actual} of ${facts.samples.length} samples`,
    proofs,
  };
}

function redisConfigOf({ target }: Call): RedisConfig {
  if (!target.redis) throw new Error('the plan recovers a Redis that the site does not have');
  return target.redis;
}
