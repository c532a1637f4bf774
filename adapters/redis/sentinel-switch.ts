import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { sameAddress } from '../host/same-address.ts';
import { addressOf, withClient, type RedisEndpoint } from './client.ts';
import { redisPosition } from './replica.ts';
import type { SentinelGroup } from './sentinel.ts';
import {
  addressText,
  POLL_MS,
  SETTLE_MS,
  withSentinels,
  type Address,
  type KnownReplica,
  type Sentinels,
} from './sentinels.ts';

/** Which server Sentinels would choose as the master, and having them choose it. */

export interface NotChosen {
  readonly reason: string;
  /** They see each server only now and then. */
  readonly mayPass?: true;
}

/** Why they could not, or would not, choose this server, were they asked for a failover now; undefined where they would. */
export async function whyNotChosen(sentinels: Sentinels, server: Address): Promise<NotChosen | undefined> {
  const [known = []] = await sentinels.replicas();
  const own: KnownReplica[] = [];
  const others: KnownReplica[] = [];
  for (const each of known) ((await sameAddress(each, server)) ? own : others).push(each);
  const [mine] = own;
  if (!mine) return { reason: `they do not know ${addressText(server)} as a replica` };
  if (!mine.reached) return { reason: `they do not reach ${addressText(server)}`, mayPass: true };
  if (mine.priority === 0) return { reason: 'its replica-priority is 0, which means never', mayPass: true };
  const before = others.find(({ reached, priority }) => reached && priority > 0 && priority <= mine.priority);
  return before === undefined
    ? undefined
    : {
        reason: `they may choose ${addressText(before)}, whose replica-priority is ${before.priority}; that of ${addressText(server)} is ${mine.priority}`,
      };
}

/** The same, where what may pass has been given the time for it. */
export async function stillNotChosen(
  sentinels: Sentinels,
  server: Address,
  signal: AbortSignal,
): Promise<NotChosen | undefined> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const why = await whyNotChosen(sentinels, server);
    if (!why?.mayPass || Date.now() > deadline) return why;
    await sleep(POLL_MS, undefined, { signal });
  }
}

interface Switching {
  readonly group: SentinelGroup;
  /** The server that is to be the master. */
  readonly to: RedisEndpoint & Address;
  /** The one that it follows, or followed. */
  readonly from: Address;
  /** Whose server it is, for people. */
  readonly site: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A failover that came to nothing may be asked for again; until then, whether it will is not known. */
const ASK_AGAIN_MS = 5_000;

/**
 * Has the Sentinels make a server the master, unless they have already; whatever they have begun is waited for. All that
 * answer name it in the end, and it is a master.
 *
 * @returns whether they had to be asked
 * @throws DrError REDIS_SENTINEL, SENTINEL_NAMES_ANOTHER, SENTINEL_CANNOT_CHOOSE, SENTINEL_NO_MAJORITY, PROMOTION_FAILED
 */
export function switchMaster({ group, to, from, site, timeoutMs, signal }: Switching): Promise<boolean> {
  const { name } = group;
  const deadline = Date.now() + timeoutMs;
  const isNamed = (address: Address): Promise<boolean> => sameAddress(address, to);
  return withSentinels(group, async (sentinels) => {
    let askedAt: number | undefined;
    let last = '';
    for (;;) {
      const { master, named, failingOver } = await sentinels.look();
      if (await isNamed(master)) {
        const still = await firstOf(named, async (each) => !(await isNamed(each.master)));
        if (still === undefined && (await isMaster(to))) return askedAt !== undefined;
        last = still
          ? `${still.sentinel} still names ${addressText(still.master)}`
          : `${addressOf(to)} is named, and is no master yet`;
      } else if (failingOver) last = 'the Sentinels are in the middle of a failover';
      else if (!(await sameAddress(master, from)))
        throw new DrError('SENTINEL_NAMES_ANOTHER', {
          ...{ name, site, actual: addressText(master), expected: addressOf(to) },
        });
      else if (askedAt === undefined || Date.now() - askedAt > ASK_AGAIN_MS) {
        const missing = await sentinels.quorumProblem();
        if (missing !== undefined) throw new DrError('SENTINEL_NO_MAJORITY', { name, reason: missing });
        const why = await whyNotChosen(sentinels, to);
        if (why && (!why.mayPass || Date.now() > deadline))
          throw new DrError('SENTINEL_CANNOT_CHOOSE', { name, site, reason: why.reason });
        const refused = why?.reason ?? (await sentinels.failOver());
        if (refused === undefined) askedAt = Date.now();
        last = refused ?? 'they were asked';
      }
      if (Date.now() > deadline)
        throw new DrError('PROMOTION_FAILED', {
          store: 'Redis',
          site,
          reason: `${last} (Sentinels of ${name})`,
        });
      await sleep(POLL_MS, undefined, { signal });
    }
  });
}

/** Sentinels cut the connections of all clients of a server whose role they change: that says nothing yet. */
async function isMaster(server: RedisEndpoint): Promise<boolean> {
  try {
    return (await withClient(server, redisPosition)).role === 'master';
  } catch (error) {
    if (error instanceof DrError && error.code === 'STORE_UNREACHABLE') return false;
    throw error;
  }
}

async function firstOf<T>(all: readonly T[], holds: (each: T) => Promise<boolean>): Promise<T | undefined> {
  for (const each of all) if (await holds(each)) return each;
  return undefined;
}

/** Waits until all that answer know a server as a replica whose link is up: then they can choose it. @throws DrError REPLICA_NOT_LEVEL */
export async function awaitKnown(
  group: SentinelGroup,
  server: Address,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  await withSentinels(group, async (sentinels) => {
    for (;;) {
      const ofEach = await sentinels.replicas();
      const without = await firstOf(ofEach, async (known) => {
        const found = await firstOf(known, (each) => sameAddress(each, server));
        return found?.linked !== true;
      });
      if (without === undefined) return;
      if (Date.now() > deadline)
        throw new DrError('REPLICA_NOT_LEVEL', {
          ...{ store: 'Redis', address: addressText(server) },
          reason: `not all Sentinels of ${group.name} know it as a replica whose link is up; host and port must be those that its master sees`,
        });
      await sleep(POLL_MS * 4, undefined, { signal });
    }
  });
}

/**
 * Waits until the master has answered each Sentinel that answers us. One that looks at a server which was away, and may
 * act again, would take the time for which it was away into account.
 */
export async function awaitSeen(group: SentinelGroup, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const startedAt = Date.now();
  await withSentinels(group, async (sentinels) => {
    for (;;) {
      const { named } = await sentinels.look();
      const waitedMs = Date.now() - startedAt;
      const unseen = named.find(
        ({ answeredMsAgo }) => answeredMsAgo === undefined || answeredMsAgo > waitedMs,
      );
      if (!unseen) return;
      if (waitedMs > timeoutMs)
        throw new DrError('SENTINEL_CANNOT_CHOOSE', {
          ...{ name: group.name, site: addressText(unseen.master) },
          reason: `${unseen.sentinel} does not reach ${addressText(unseen.master)}`,
        });
      await sleep(POLL_MS, undefined, { signal });
    }
  });
}
