import { readRun } from '../../adapters/backup/runs.ts';
import { readFence } from '../../adapters/host/fence.ts';
import { readStandbyMark } from '../../adapters/host/standby-mark.ts';
import { readTakeoverMark } from '../../adapters/host/takeover-mark.ts';
import { withClient as withPostgres } from '../../adapters/postgres/client.ts';
import { standbyPosition } from '../../adapters/postgres/replication.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { sameAddress } from '../../adapters/host/same-address.ts';
import { redisPosition } from '../../adapters/redis/replica.ts';
import { stillNotChosen } from '../../adapters/redis/sentinel-switch.ts';
import { addressText, withSentinels } from '../../adapters/redis/sentinels.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { MarkedStore } from '../../domain/beacon.ts';
import { clusterOf } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import type { CheckReplicasResult, StopWritesResult } from '../../domain/plan.ts';
import { standingText, summaryOf, type StoreStanding } from '../../domain/replication.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import { awaitUntil } from '../await-until.ts';
import { adminConnection, redisEndpoint, sentinelsOf } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { asActivity } from '../to-failure.ts';
import type { ReplicationStanding } from '../../domain/monitor.ts';
import { notMeasured, proof } from '../proofs.ts';
import { markedStores } from '../watermarks.ts';
import { compareOptimes, parseOptime } from '../../domain/replica-set.ts';
import { standingOf } from './lag.ts';
import { holdsPosition, isMongo, mongoPosition } from './mongodb.ts';
import { valueOf } from './position.ts';
import { proveReplicas } from './prove-replicas.ts';

/** How far the stores of a standby are behind: by watermarks, and in bytes where the source can be asked. */

export function createStandingActivities(deps: Deps) {
  return {
    'check-replicas': guarded(deps, 'probe', checkReplicas),
    'await-level': guarded(deps, 'probe', awaitLevel),
    'prove-replicas': guarded(deps, 'probe', proveReplicas),
    'replication-standing': (asked: StandingQuestion): Promise<ReplicationStanding> =>
      asActivity(() => replicationStanding(deps, asked)),
  };
}

interface StandingQuestion {
  readonly deployment: string;
  readonly from: string;
  readonly to: string;
}

/** What a monitor needs to know before it starts a failover by itself; whether the source can be fenced is for others. */
async function replicationStanding(
  deps: Deps,
  { deployment: name, from, to }: StandingQuestion,
): Promise<ReplicationStanding> {
  const deployment = deps.deployment(name);
  const standing = await standingOf({
    ...{ worker: deps.worker, deployment, plan: { deployment: name, from, to } },
    ...{ target: deployment.sites[to]!, source: deployment.sites[from]! },
    secret: (reference) => deps.secret(reference),
  });
  return {
    stores: standing.map((each) => ({
      store: each.store,
      ...((each.role === 'follows' || each.elected || each.promoted) && each.lagMs !== undefined
        ? { lagMs: each.lagMs }
        : { why: standingText(each) }),
    })),
    fencePossible: true,
  };
}

/** @throws DrError STANDBY_IS_ANOTHER, STANDBY_BROKEN, LAG_TOO_LARGE, LAG_UNKNOWN */
async function checkReplicas(call: Call): Promise<CheckReplicasResult> {
  const { input } = call;
  const { to: site, from, failover } = input.plan;
  const { mode, maxLagMs, acceptLoss } = failover!;
  const isMarked = (await readStandbyMark(call.target.stateDir))?.of === from;
  const standing = await standingOf({ ...call, plan: call.input.plan });
  const lost = isMarked || mode === 'graceful' ? undefined : await lostTakeover(call);
  if (lost !== undefined) return goesOnFrom(lost, standing);
  const proofs: Proof[] = [];
  for (const each of standing) {
    const { store, role, streaming, lagMs, promoted } = each;
    const text = standingText(each);
    const adopted = each.elected === true || promoted === true;
    if (role !== 'follows' && !adopted) {
      const reason = `its ${store} ${text}; expected a replica of ${from}`;
      throw new DrError(isMarked ? 'STANDBY_BROKEN' : 'STANDBY_IS_ANOTHER', { site, reason });
    }
    if (mode === 'graceful' && !streaming && !adopted)
      throw new DrError('STANDBY_IS_ANOTHER', {
        site,
        reason: `its ${store} does not follow ${from} now: ${text}`,
      });
    if (store === 'redis' && !promoted) await requireChosenBySentinels(call);
    proofs.push(
      promoted
        ? proof(`${store} is the master by its Sentinels, which is adopted`, true, 'named by them', text)
        : proof(`${store} is a replica of ${from}`, true, each.elected ? 'of the same set' : 'follows', text),
    );
    // What a graceful one waits for is the position itself.
    if (lagMs === undefined && mode === 'forced' && !acceptLoss)
      throw new DrError('LAG_UNKNOWN', { store, site, reason: 'no watermark of a beacon is in it' });
    if (lagMs !== undefined && lagMs > maxLagMs && !acceptLoss)
      throw new DrError('LAG_TOO_LARGE', {
        ...{ store, site, lag: formatDuration(lagMs), limit: formatDuration(maxLagMs) },
      });
    proofs.push(
      lagMs === undefined
        ? notMeasured(`lag of ${store}`, 'no watermark is in it')
        : proof(
            `lag of ${store}`,
            lagMs <= maxLagMs,
            `at most ${formatDuration(maxLagMs)}`,
            formatDuration(lagMs),
          ),
    );
  }
  return { summary: summaryOf(standing), proofs, standing };
}

/** The failover to this site that was lost on its way: nobody has a record of its end, or that tells of none. */
async function lostTakeover({ target, deployment, input }: Call): Promise<string | undefined> {
  const mark = await readTakeoverMark(target.stateDir);
  // An exported script gives a site up as well, and knows of no mark.
  if (mark?.of !== input.plan.from || (await readFence(target.stateDir)) !== undefined) return undefined;
  const record = await readRun(deployment.backup, input.plan.deployment, mark.run);
  return record?.outcome?.startsWith('RECOVERED') ? undefined : mark.run;
}

/** Its loss was accepted then, and nothing that the source took since could come here. */
function goesOnFrom(run: string, standing: readonly StoreStanding[]): CheckReplicasResult {
  return {
    summary: `goes on where ${run} was lost, which had taken command: ${summaryOf(standing)}`,
    proofs: standing.map((each) =>
      each.role === 'follows'
        ? proof(`${each.store} is a replica still`, true, 'follows, or promoted', standingText(each))
        : notMeasured(`lag of ${each.store}`, `${run} had taken command of it: ${standingText(each)}`),
    ),
    standing,
  };
}

/** Those who would have to be asked for it later, while nobody can write. */
async function requireChosenBySentinels({ target, source, input, secret, signal }: Call): Promise<void> {
  const group = await sentinelsOf(target.redis!, secret);
  if (!group) return;
  const { name } = group;
  const { to: site } = input.plan;
  await withSentinels(group, async (sentinels) => {
    const { master } = await sentinels.look();
    if (!(await sameAddress(master, source.redis!)) && !(await sameAddress(master, target.redis!)))
      throw new DrError('SENTINEL_NAMES_ANOTHER', {
        ...{ name, site: input.plan.from, actual: addressText(master), expected: addressText(source.redis!) },
      });
    const missing = await sentinels.quorumProblem();
    if (missing !== undefined) throw new DrError('SENTINEL_NO_MAJORITY', { name, reason: missing });
    const why = await stillNotChosen(sentinels, target.redis!, signal);
    if (why) throw new DrError('SENTINEL_CANNOT_CHOOSE', { name, site, reason: why.reason });
  });
}

/** While clients wait: a standby that is not level by then takes nothing over, and writes go on. */
const LEVEL_TIMEOUT_MS = 20_000;
const LEVEL_POLL_MS = 20;

async function awaitLevel(call: Call, ends: StopWritesResult['ends'] = []): Promise<StepResult> {
  const stores = markedStores(call.target, call.worker);
  const reached = await Promise.all(
    ends.filter(({ store }) => stores.includes(store)).map((end) => untilReached(call, end)),
  );
  return {
    summary:
      reached.map(({ store, position }) => `${store} is at ${position}`).join(', ') || 'nothing to wait for',
    proofs: reached.map(({ store, end, position }) =>
      proof(`everything of ${store} is on the other side`, true, `at least ${end}`, position),
    ),
  };
}

async function untilReached(
  call: Call,
  { store, position: end }: StopWritesResult['ends'][number],
): Promise<{ store: string; end: string; position: string }> {
  let last: string | undefined;
  const position = await awaitUntil(
    async () => {
      last = await positionAt(call, store);
      return (await isReached(call, store, { last, end })) ? last : undefined;
    },
    {
      ...{ timeoutMs: LEVEL_TIMEOUT_MS, everyMs: LEVEL_POLL_MS, signal: call.signal },
      late: () =>
        new DrError('LEVEL_NOT_REACHED', {
          ...{ store, site: call.input.plan.to, limit: formatDuration(LEVEL_TIMEOUT_MS) },
          reason: `it is at ${last ?? 'nothing'}, the source ended at ${end}`,
        }),
    },
  );
  return { store, end, position };
}

async function isReached(
  call: Call,
  store: MarkedStore,
  { last, end }: { readonly last: string | undefined; readonly end: string },
): Promise<boolean> {
  if (last === undefined) return false;
  if (store === 'redis' || !isMongo(call.target)) return valueOf(store, last) >= valueOf(store, end);
  if (compareOptimes(parseOptime(last), parseOptime(end)) < 0) return false;
  return holdsPosition(call, call.target, end);
}

async function positionAt(call: Call, store: MarkedStore): Promise<string | undefined> {
  const { target, secret } = call;
  if (store === 'database' && isMongo(target)) return mongoPosition(call, target);
  if (store === 'database')
    return withPostgres(
      await adminConnection(clusterOf(target), secret),
      async (client) => (await standbyPosition(client)).replayed,
    );
  return withRedis(await redisEndpoint(target.redis!, secret), async (client) => {
    const { offset, followed } = await redisPosition(client);
    // Promoted while it was waited for: what counts is how far it had come as a replica.
    return String(followed?.offset ?? offset);
  });
}
