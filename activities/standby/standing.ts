import { journalFolders } from '../../adapters/beacon/files.ts';
import { readBeaconJournal } from '../../adapters/beacon/read.ts';
import { withClient as withPostgres } from '../../adapters/postgres/client.ts';
import { parseLsn } from '../../adapters/postgres/lsn.ts';
import { primaryPosition, slotOf, standbyPosition } from '../../adapters/postgres/replication.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { redisPosition } from '../../adapters/redis/replica.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { MarkedStore } from '../../domain/beacon.ts';
import { clusterOf } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import type { CheckReplicasResult, StopWritesResult } from '../../domain/plan.ts';
import { standingText, type StoreStanding } from '../../domain/replication.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import { awaitUntil } from '../await-until.ts';
import { adminConnection, redisEndpoint } from '../endpoints.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { notMeasured, proof } from '../proofs.ts';
import { markedStores, readMarks } from '../watermarks.ts';
import { followed } from './followed.ts';

/** How far the stores of a standby are behind: by watermarks, and in bytes where the source can be asked. */

export function createStandingActivities(deps: Deps) {
  return {
    'check-replicas': guarded(deps, 'probe', checkReplicas),
    'await-level': guarded(deps, 'probe', awaitLevel),
    'prove-replicas': guarded(deps, 'probe', proveReplicas),
  };
}

/** @throws DrError STANDBY_IS_ANOTHER, LAG_TOO_LARGE, LAG_UNKNOWN */
async function checkReplicas(call: Call): Promise<CheckReplicasResult> {
  const { input } = call;
  const { to: site, from, failover } = input.plan;
  const { mode, maxLagMs, acceptLoss } = failover!;
  const standing = await standingOf(call);
  const proofs: Proof[] = [];
  for (const each of standing) {
    const { store, role, streaming, lagMs } = each;
    const text = standingText(each);
    if (role !== 'follows')
      throw new DrError('STANDBY_IS_ANOTHER', {
        site,
        reason: `its ${store} ${text}; expected a replica of ${from}`,
      });
    if (mode === 'graceful' && !streaming)
      throw new DrError('STANDBY_IS_ANOTHER', {
        site,
        reason: `its ${store} does not follow ${from} now: ${text}`,
      });
    proofs.push(proof(`${store} is a replica of ${from}`, true, 'follows', text));
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

const summaryOf = (standing: readonly StoreStanding[]): string =>
  standing.map((each) => `${each.store} ${standingText(each)}`).join('; ') || 'no store is on this host';

/** While clients wait: a standby that is not level by then is asked about, and writes go on. */
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
  let last = 'nothing';
  const position = await awaitUntil(
    async () => {
      last = (await positionAt(call, store)) ?? 'nothing';
      return valueOf(store, last) >= valueOf(store, end) ? last : undefined;
    },
    {
      ...{ timeoutMs: LEVEL_TIMEOUT_MS, everyMs: LEVEL_POLL_MS, signal: call.signal },
      late: () =>
        new DrError('REPLICA_NOT_LEVEL', {
          ...{ store, address: call.input.plan.to, reason: `it is at ${last}, the source ended at ${end}` },
        }),
    },
  );
  return { store, end, position };
}

const valueOf = (store: MarkedStore, position: string): bigint => {
  if (position === 'nothing') return -1n;
  return store === 'database' ? parseLsn(position) : BigInt(position);
};

async function positionAt(call: Call, store: MarkedStore): Promise<string | undefined> {
  const { target, secret } = call;
  if (store === 'database')
    return withPostgres(
      await adminConnection(clusterOf(target), secret),
      async (client) => (await standbyPosition(client)).replayed,
    );
  return withRedis(await redisEndpoint(target.redis!, secret), async (client) =>
    String((await redisPosition(client)).offset),
  );
}

/** A watermark is written every second or so. */
const FRESH_MS = 5_000;
const PROVE_TIMEOUT_MS = 60_000;

async function proveReplicas(call: Call): Promise<CheckReplicasResult> {
  const isMarked = call.deployment.beacon !== undefined;
  let standing: readonly StoreStanding[] = [];
  const isLevel = ({ role, streaming, lagMs, lagBytes }: StoreStanding): boolean =>
    role === 'follows' &&
    streaming === true &&
    lagBytes !== undefined &&
    (!isMarked || (lagMs ?? Infinity) <= FRESH_MS);
  await awaitUntil(
    async () => {
      standing = await standingOf(call);
      return standing.every(isLevel) ? true : undefined;
    },
    {
      ...{ timeoutMs: PROVE_TIMEOUT_MS, everyMs: 200, signal: call.signal },
      late: () => {
        const late = standing.find((each) => !isLevel(each))!;
        return new DrError('REPLICA_NOT_LEVEL', {
          ...{ store: late.store, address: call.input.plan.to, reason: standingText(late) },
        });
      },
    },
  );
  return {
    summary: summaryOf(standing),
    standing,
    proofs: standing.flatMap((each) => [
      proof(`${each.store} streams`, true, 'follows', standingText(each)),
      isMarked
        ? proof(
            `a watermark of the last seconds is in ${each.store}`,
            true,
            `at most ${formatDuration(FRESH_MS)} old`,
            formatDuration(each.lagMs!),
          )
        : notMeasured(`lag of ${each.store}`, 'no beacon is configured'),
    ]),
  };
}

/** Of the target's stores on this host. Never throws for one that cannot be asked: that is its standing. */
export async function standingOf(
  call: Pick<Call, 'worker' | 'target' | 'source' | 'deployment' | 'secret'> & {
    readonly input: Pick<Call['input'], 'plan'>;
  },
): Promise<StoreStanding[]> {
  const newest = await newestJournalled(call);
  return Promise.all(
    markedStores(call.target, call.worker).map(async (store): Promise<StoreStanding> => {
      const site = call.input.plan.to;
      try {
        const [at, lagMs] = await Promise.all([
          store === 'database' ? databaseStanding(call) : redisStanding(call),
          lagOf(call, store, newest(store)),
        ]);
        return { store, site, ...at, ...(lagMs === undefined ? {} : { lagMs }) };
      } catch (error) {
        return {
          store,
          site,
          role: 'unreachable',
          problem: error instanceof Error ? error.message : String(error),
        };
      }
    }),
  );
}

type Asking = Parameters<typeof standingOf>[0];
type Found = Omit<StoreStanding, 'store' | 'site'>;

/** What the beacon has had acknowledged last at the source, Unix seconds. */
async function newestJournalled({
  deployment,
  input,
}: Asking): Promise<(store: MarkedStore) => number | undefined> {
  if (!deployment.beacon) return () => undefined;
  const journal = await readBeaconJournal(journalFolders(deployment, input.plan.deployment));
  return (store) => journal.of(input.plan.from, store).runs.at(-1)?.[1];
}

async function lagOf(
  { target, secret }: Asking,
  store: MarkedStore,
  journalled: number | undefined,
): Promise<number | undefined> {
  if (journalled === undefined) return undefined;
  const marks = await readMarks(target, store, secret);
  if (marks.length === 0) return undefined;
  return Math.max(0, journalled - Math.max(...marks)) * 1000;
}

async function databaseStanding(call: Asking): Promise<Found> {
  const { target, secret, input } = call;
  const position = await withPostgres(await adminConnection(clusterOf(target), secret), standbyPosition);
  if (!position.inRecovery) return { role: 'writes' };
  const source = await followed(call)
    .then((connection) => withPostgres(connection, primaryPosition))
    .catch(() => undefined);
  const replayed = position.replayed;
  return {
    role: 'follows',
    streaming: position.receiver === 'streaming' && position.slot === slotOf(input.plan.to),
    ...(replayed === undefined ? {} : { position: replayed }),
    ...(source && replayed !== undefined
      ? { lagBytes: positive(parseLsn(source.lsn) - parseLsn(replayed)) }
      : {}),
  };
}

async function redisStanding({ target, source, secret }: Asking): Promise<Found> {
  const at = await withRedis(await redisEndpoint(target.redis!, secret), redisPosition);
  if (at.role === 'master') return { role: 'writes' };
  const from = source.redis!;
  const right = at.master?.host === from.host && at.master.port === from.port;
  const master = await redisEndpoint(from, secret)
    .then((endpoint) => withRedis(endpoint, redisPosition))
    .catch(() => undefined);
  return {
    role: 'follows',
    streaming: right && at.linkUp === true && at.syncing !== true,
    position: String(at.offset),
    ...(master ? { lagBytes: Math.max(0, master.offset - at.offset) } : {}),
    ...(right ? {} : { problem: `its master is ${at.master?.host}:${at.master?.port}` }),
  };
}

const positive = (bytes: bigint): number => (bytes > 0n ? Number(bytes) : 0);
