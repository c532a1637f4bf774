import { mkdir, rm } from 'node:fs/promises';
import {
  observeSwitch,
  switchIn,
  switchPaths,
  writeLedger,
  type StepKey,
} from '../../adapters/files/switch-in.ts';
import { run } from '../../adapters/process/run.ts';
import { waitReady, withClient, type RedisEndpoint } from '../../adapters/redis/client.ts';
import { countKeys } from '../../adapters/redis/mark.ts';
import {
  awaitLink,
  follow,
  forgetMaster,
  promoteRedis,
  rememberMaster,
} from '../../adapters/redis/replica.ts';
import { shardsOf } from '../../adapters/redis/shards.ts';
import { startService } from '../../adapters/service/service.ts';
import type { RedisConfig } from '../../domain/config.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { StepResult } from '../../domain/run.ts';
import { runsWarm } from '../../domain/strategy.ts';
import { redisEndpoint } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { proof, requireProofs } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';

/** Redis of a standby: its old data laid aside, started as a replica, made the master. */

export function createStandbyRedisActivities(deps: Deps) {
  return {
    'clear-redis': guarded(deps, 'mutate', clearRedis),
    'follow-redis': guarded(deps, 'mutate', followRedis),
    'promote-redis': guarded(deps, 'mutate', promote),
  };
}

async function clearRedis({ target, input }: Call): Promise<StepResult> {
  const config = redisOf(target.redis);
  const paths = switchPaths(config.dataDir!, input.run);
  const key: StepKey = { run: input.run, step: input.step, set: input.set ?? '' };
  const state = await observeSwitch(paths, key);
  if (state === 'absent') {
    await rm(paths.stagingDir, { recursive: true, force: true });
    await mkdir(paths.stagingDir, { recursive: true, mode: 0o750 });
    await writeLedger(paths.stagingDir, key);
    if (config.runAs !== undefined && process.getuid?.() === 0)
      await run(['chown', '-R', `${config.runAs}:`, paths.stagingDir]);
  }
  await switchIn(paths, key);
  return { summary: 'the data folder is empty; the old one stands beside it', observed: state === 'done' };
}

const START_TIMEOUT_MS = 60_000;
const COPY_TIMEOUT_MS = 50 * 60_000;

async function followRedis(call: Call): Promise<StepResult> {
  const { input, target, source, signal } = call;
  const config = redisOf(target.redis);
  const service = serviceOf(input.plan.to, target, 'redis');
  const master = await redisEndpoint(redisOf(source.redis), call.secret);
  const notTold = await tellBefore(config, master);
  const started = await startService(service, signal);
  const replica = await redisEndpoint(config, call.secret);
  return whileRunning(service, signal, async (either) => {
    (await waitReady(replica, START_TIMEOUT_MS, either)).disconnect();
    const isWritable = runsWarm(input.plan.replicate!.strategy);
    const { notKept } = await follow(replica, master, isWritable);
    call.progress('copying from the master');
    const { offset } = await awaitLink(replica, { timeoutMs: COPY_TIMEOUT_MS, signal: either });
    const amiss = [
      ...(started && notTold !== undefined
        ? [`it was a master while it started, and what anybody wrote into it then is gone: ${notTold}`]
        : []),
      ...(notKept === undefined
        ? []
        : [
            `after a restart it would be a master again: ${notKept}; put replicaof into its configuration file`,
          ]),
    ];
    return {
      summary: `${started ? 'started' : 'ran already'}, follows ${input.plan.from} from offset ${offset}`,
      observed: !started,
      ...(amiss.length === 0 ? {} : { exception: `follow-redis: ${amiss.join('; ')}` }),
    };
  });
}

/** @returns why it will start as a master. */
async function tellBefore({ configFile }: RedisConfig, master: RedisEndpoint): Promise<string | undefined> {
  if (configFile === undefined) return 'no configFile of it is configured';
  try {
    await rememberMaster(configFile, master);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function promote(call: Call): Promise<StepResult> {
  const { input, target, signal } = call;
  const config = redisOf(target.redis);
  const service = serviceOf(input.plan.to, target, 'redis');
  const endpoint = await redisEndpoint(config, call.secret);
  const started = await startService(service, signal);
  if (started) (await waitReady(endpoint, START_TIMEOUT_MS, signal)).disconnect();
  return withClient(endpoint, async (client) => {
    const startedAt = performance.now();
    const wasReplica = await promoteRedis(client);
    const took = performance.now() - startedAt;
    const keys = await countKeys(shardsOf(client));
    const proofs = [proof('Redis has its keys', keys > 0, 'some', keys)];
    requireProofs(proofs);
    // A server that may not write its file would follow the fenced one again after a restart.
    if (config.configFile !== undefined) await forgetMaster(config.configFile);
    return {
      summary: `${wasReplica ? `master after ${formatDuration(took)}` : 'was a master already'}, ${keys} keys`,
      observed: !wasReplica,
      proofs,
    };
  });
}

function redisOf(redis: RedisConfig | undefined): RedisConfig {
  if (!redis) throw new Error('the plan works on a Redis that the site does not have');
  return redis;
}
