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
import { awaitKnown, switchMaster } from '../../adapters/redis/sentinel-switch.ts';
import { shardsOf } from '../../adapters/redis/shards.ts';
import { startService } from '../../adapters/service/service.ts';
import type { RedisConfig } from '../../domain/config.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { StepResult } from '../../domain/run.ts';
import { runsWarm } from '../../domain/strategy.ts';
import { redisEndpoint, sentinelsOf } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { proof, requireProofs } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';
import { takeWritesAgain } from './held-writes.ts';

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
/** A Sentinel asks each server every ten seconds what it is, and hears of a new one from its master then. */
const KNOWN_TIMEOUT_MS = 60_000;
/** Theirs take a second or two; one that they have begun and given up comes first, after their failover-timeout. */
const SWITCH_TIMEOUT_MS = 90_000;

async function followRedis(call: Call): Promise<StepResult> {
  const { input, target, source, signal } = call;
  const config = redisOf(target.redis);
  const service = serviceOf(input.plan.to, target, 'redis');
  const master = await redisEndpoint(redisOf(source.redis), call.secret);
  const notTold = await tellBefore(config, master);
  const started = await startService(service, signal);
  const replica = await redisEndpoint(config, call.secret);
  const sentinels = await sentinelsOf(config, call.secret);
  return whileRunning(service, signal, async (either) => {
    (await waitReady(replica, START_TIMEOUT_MS, either)).disconnect();
    // Where Sentinels are, Dashboard and Gateways write to the master that those name.
    const isWritable = runsWarm(input.plan.replicate!.strategy) && !sentinels;
    const { notKept } = await follow(replica, master, isWritable);
    await withClient(replica, (client) => takeWritesAgain(client, target.stateDir));
    call.progress('copying from the master');
    const { offset } = await awaitLink(replica, { timeoutMs: COPY_TIMEOUT_MS, signal: either });
    if (sentinels) {
      call.progress('waiting until the Sentinels know it');
      await awaitKnown(sentinels, config, { timeoutMs: KNOWN_TIMEOUT_MS, signal: either });
    }
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
      summary: `${started ? 'started' : 'ran already'}, follows ${input.plan.from} from offset ${offset}${sentinels ? `; the Sentinels of ${sentinels.name} know it` : ''}`,
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
  const sentinels = await sentinelsOf(config, call.secret);
  const startedAt = performance.now();
  // Where it is theirs to say, they are asked; they cut all connections to it on the way.
  const wasReplica = sentinels
    ? await switchMaster({
        ...{ group: sentinels, to: { ...endpoint, host: config.host, port: config.port } },
        ...{ from: redisOf(call.source.redis), site: input.plan.to, timeoutMs: SWITCH_TIMEOUT_MS, signal },
      })
    : await withClient(endpoint, promoteRedis);
  const took = performance.now() - startedAt;
  return withClient(endpoint, async (client) => {
    const keys = await countKeys(shardsOf(client));
    const proofs = [proof('Redis has its keys', keys > 0, 'some', keys)];
    requireProofs(proofs);
    // A server that may not write its file would follow the fenced one again after a restart.
    if (config.configFile !== undefined) await forgetMaster(config.configFile);
    const by = sentinels ? `, by the Sentinels of ${sentinels.name}` : '';
    const was = sentinels ? 'the Sentinels had made it the master already' : 'was a master already';
    return {
      summary: `${wasReplica ? `master after ${formatDuration(took)}${by}` : was}, ${keys} keys`,
      observed: !wasReplica,
      proofs,
    };
  });
}

function redisOf(redis: RedisConfig | undefined): RedisConfig {
  if (!redis) throw new Error('the plan works on a Redis that the site does not have');
  return redis;
}
