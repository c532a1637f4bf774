import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../adapters/files/durable.ts';
import { sameAddress } from '../adapters/host/same-address.ts';
import { withClient } from '../adapters/redis/client.ts';
import { awaitLink, forgetMaster, redisPosition, rememberMaster } from '../adapters/redis/replica.ts';
import { awaitSeen, stillNotChosen, switchMaster } from '../adapters/redis/sentinel-switch.ts';
import {
  addressText,
  settledView,
  withSentinels,
  type Address,
  type Sentinels,
  type SentinelView,
} from '../adapters/redis/sentinels.ts';
import type { RedisConfig, Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { isWatched } from '../domain/redis-kind.ts';
import type { Proof } from '../domain/run.ts';
import { redisEndpoint, sentinelsOf } from './endpoints.ts';
import type { Call } from './guard.ts';
import { proof } from './proofs.ts';
import { serves } from './site.ts';

/**
 * A set that is put into a server above which Sentinels stand. While it is stopped they would make another one the
 * master, and then make it follow that: what was restored would be gone. So they hold still meanwhile, where it is the
 * master; where it is not, they are asked to make it the master once the set is in. What they know of it is never taken
 * away from them and told anew (SENTINEL REMOVE, MONITOR): that would begin at epoch 0, and any Sentinel that was away
 * would come back with a higher one, and with the old master.
 */

/** Longer than any restore. */
export const HELD_MS = 86_400_000;
const SWITCH_TIMEOUT_MS = 90_000;
const LINK_TIMEOUT_MS = 5 * 60_000;

/** Where this worker puts a set into a Redis that Sentinels watch. */
function restoredBelow({ worker, target, input }: Call): RedisConfig | undefined {
  const { redis } = target;
  if (!redis || !isWatched(redis) || !serves(worker, target, redis)) return undefined;
  return input.plan.steps.includes('restore-redis-data') ? redis : undefined;
}

/** @throws DrError REDIS_SENTINEL, SENTINEL_NAMES_ANOTHER, SENTINEL_NO_MAJORITY, SENTINEL_IN_THE_WAY */
export async function checkSentinels(call: Call): Promise<Proof[]> {
  const redis = restoredBelow(call);
  if (!redis) return [];
  const { to: site } = call.input.plan;
  const group = (await sentinelsOf(redis, call.secret))!;
  const { name } = group;
  return withSentinels(group, async (sentinels) => {
    const view = await settledView(sentinels, call.signal);
    const named = addressText(view.master);
    if (await sameAddress(view.master, redis)) {
      requireHeld(view, { name, site });
      return [
        proof('the Sentinels can be told to hold still', true, `fewer than ${view.quorum} untold`, named),
      ];
    }
    await requireSource(call, view.master, name);
    const missing = await sentinels.quorumProblem();
    if (missing !== undefined) throw new DrError('SENTINEL_NO_MAJORITY', { name, reason: missing });
    await requireOnlyOne(call, sentinels, redis, name);
    return [proof('the Sentinels can make it the master', true, 'known to them, before any other', named)];
  });
}

/** Who serves there now is given up; any other is not ours to replace. */
async function requireSource({ source, input }: Call, master: Address, name: string): Promise<void> {
  const { to: site, inPlace } = input.plan;
  if (!inPlace && source.redis && (await sameAddress(master, source.redis))) return;
  throw new DrError('SENTINEL_NAMES_ANOTHER', {
    ...{ name, site, actual: addressText(master) },
    expected: inPlace ? 'the one that is rebuilt' : addressText(source.redis ?? { host: '?', port: 0 }),
  });
}

/** That it is stopped, or not reached, is for later: what counts is that they know it, and no other before it. */
async function requireOnlyOne(call: Call, sentinels: Sentinels, own: Address, name: string): Promise<void> {
  const { to: site } = call.input.plan;
  const why = await stillNotChosen(sentinels, own, call.signal);
  if (why && !why.mayPass) throw new DrError('SENTINEL_IN_THE_WAY', { name, site, reason: why.reason });
}

/** Those that cannot be told may be too few to take the master for down. */
function requireHeld(
  { known, named, quorum, silent }: SentinelView,
  of: { name: string; site: string },
): void {
  const untold = known - named.length;
  if (untold < quorum) return;
  throw new DrError('SENTINEL_IN_THE_WAY', {
    ...of,
    reason: `${untold} of ${known} cannot be told to hold still, and ${quorum} suffice to take it for down${silent.length === 0 ? '' : ` (${silent.join('; ')})`}`,
  });
}

const heldFile = (stateDir: string): string => join(stateDir, 'sentinels-held.json');

/** By Sentinel: what it had before. */
export async function heldSentinels(stateDir: string): Promise<Record<string, number> | undefined> {
  const text = await readFile(heldFile(stateDir), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, number>);
}

/** Before the server is stopped. May be repeated. @returns whether they hold still */
export async function holdSentinels(call: Call): Promise<boolean> {
  const redis = restoredBelow(call);
  if (!redis) return false;
  const { stateDir } = call.target;
  const group = (await sentinelsOf(redis, call.secret))!;
  return withSentinels(group, async (sentinels) => {
    const view = await settledView(sentinels, call.signal);
    if (!(await sameAddress(view.master, redis))) return false;
    const of = { name: group.name, site: call.input.plan.to };
    requireHeld(view, of);
    const now = await sentinels.downAfter();
    // What it had before, not what an earlier attempt has set.
    const before = { ...now, ...(await heldSentinels(stateDir)) };
    await mkdir(stateDir, { recursive: true });
    await writeDurably(heldFile(stateDir), JSON.stringify(before));
    const told = await sentinels.setDownAfter(
      Object.fromEntries(Object.keys(now).map((at) => [at, HELD_MS])),
    );
    const after = await settledView(sentinels, call.signal);
    // Told too late: they had begun already, or one of them was not reached any more.
    try {
      requireHeld({ ...after, named: after.named.filter(({ sentinel }) => told.includes(sentinel)) }, of);
      if (!(await sameAddress(after.master, redis)))
        throw new DrError('SENTINEL_NAMES_ANOTHER', {
          ...{ ...of, actual: addressText(after.master), expected: addressText(redis) },
        });
    } catch (error) {
      await letSentinelsAct(call);
      throw error;
    }
    return true;
  });
}

/** @returns those that could not be told that they may act again, with what each had before; undefined where none was held */
export async function letSentinelsAct({
  target,
  secret,
  worker,
}: Pick<Call, 'target' | 'secret' | 'worker'>): Promise<string[] | undefined> {
  const { redis, stateDir } = target;
  if (!redis || !serves(worker, target, redis)) return undefined;
  const held = await heldSentinels(stateDir);
  const group = held && (await sentinelsOf(redis, secret));
  if (!group) return undefined;
  const told = await withSentinels(group, (sentinels) => sentinels.setDownAfter(held));
  const left = Object.entries(held).filter(([at]) => !told.includes(at));
  if (left.length === 0) await rm(heldFile(stateDir), { force: true });
  else await writeDurably(heldFile(stateDir), JSON.stringify(Object.fromEntries(left)));
  return left.map(([at, ms]) => `${at} (${ms} ms)`);
}

export const STILL_HELD =
  'could not be told that they may act again: SENTINEL SET NAME down-after-milliseconds, as it was before';

/**
 * A server that is started as it is, beside Sentinels that have gone on without it, follows the one that they name from
 * its first moment; one that is named, or that a set was put into, is a master.
 */
export async function tellRole(call: Call, redis: RedisConfig): Promise<void> {
  const { configFile } = redis;
  if (!isWatched(redis) || configFile === undefined) return;
  const { master } = (await viewOf(redis, call)) ?? {};
  const isRestored = call.input.plan.steps.includes('restore-redis-data');
  if (isRestored || (master && (await sameAddress(master, redis)))) await forgetMaster(configFile);
  else if (master) await rememberMaster(configFile, master).catch(() => undefined);
}

async function viewOf(
  redis: RedisConfig,
  { secret }: Pick<Call, 'secret'>,
): Promise<SentinelView | undefined> {
  const group = await sentinelsOf(redis, secret);
  return group && withSentinels(group, settledView).catch(() => undefined);
}

interface Settled {
  readonly told?: string;
  readonly exception?: string;
}

/** Once the server runs. @throws DrError SENTINEL_IN_THE_WAY and what `switchMaster` throws */
export async function settleWithSentinels(call: Call, redis: RedisConfig): Promise<Settled> {
  const group = await sentinelsOf(redis, call.secret);
  if (!group || !isWatched(redis)) return {};
  const { signal, source, target, input } = call;
  const server = await redisEndpoint(redis, call.secret);
  const to = { ...server, host: redis.host, port: redis.port };
  if (!restoredBelow(call)) {
    const { master } = (await viewOf(redis, call)) ?? {};
    if (!master || (await sameAddress(master, redis))) return {};
    await awaitLink(server, { timeoutMs: LINK_TIMEOUT_MS, signal });
    return { told: `, follows ${addressText(master)}, which the Sentinels have made the master` };
  }
  const { role, master } = await withClient(server, redisPosition);
  if (role === 'replica')
    throw new DrError('SENTINEL_IN_THE_WAY', {
      ...{ name: group.name, site: input.plan.to },
      reason: `they have made it follow ${addressText(master!)}, and its data are those of that one`,
    });
  const from = source.redis ?? target.redis!;
  const asked = await switchMaster({
    ...{ group, to, from, site: input.plan.to, timeoutMs: SWITCH_TIMEOUT_MS, signal },
  });
  if (await isHeld(target)) await awaitSeen(group, SWITCH_TIMEOUT_MS, signal);
  const left = await letSentinelsAct(call);
  return {
    told: asked ? ', and the Sentinels have made it the master' : ', the master by its Sentinels',
    ...(left && left.length > 0 ? { exception: `start-redis: ${left.join(', ')} ${STILL_HELD}` } : {}),
  };
}

/** For whoever looks at a site: whether its Sentinels were told to hold still, and never told to act again. */
export const isHeld = async ({ stateDir }: Pick<Site, 'stateDir'>): Promise<boolean> =>
  (await heldSentinels(stateDir)) !== undefined;
