import { dayOf } from '../../adapters/beacon/files.ts';
import type { MarkedStore } from '../../domain/beacon.ts';
import { formatDuration } from '../../domain/duration.ts';
import { DrError } from '../../domain/errors.ts';
import type { CheckReplicasResult } from '../../domain/plan.ts';
import { parseOptime } from '../../domain/replica-set.ts';
import { standingText, summaryOf, type StoreStanding } from '../../domain/replication.ts';
import type { Proof } from '../../domain/run.ts';
import { awaitUntil } from '../await-until.ts';
import type { Call } from '../guard.ts';
import { notMeasured, proof } from '../proofs.ts';
import { standingOf } from './lag.ts';
import { valueOf } from './position.ts';

/**
 * That a new standby is level: what the source had written when the proof began is here, and a watermark that was
 * written after that has come through. By numbers and positions alone: clocks of two hosts may differ, and a beacon
 * that stands still is no distance behind itself.
 */

/** As far as a watermark may be behind the journal: a look and a beat take their time. */
const FRESH_MS = 5_000;
const PROVE_TIMEOUT_MS = 60_000;
/** A watermark is written once a second or less often. */
const LOOK_EVERY_MS = 500;
/** The day of a watermark that was written just before midnight. */
const JOURNAL_BACK_MS = 3_600_000;

export async function proveReplicas(call: Call): Promise<CheckReplicasResult> {
  const { beacon } = call.deployment;
  const interval = beacon?.interval ?? 0;
  const seen = new Map<MarkedStore, Seen>();
  let standing: readonly StoreStanding[] = [];
  const isLevel = (each: StoreStanding): boolean => isHere(each, seen) && (!beacon || isTold(each, seen));
  await awaitUntil(
    async () => {
      const since = dayOf(Date.now() - JOURNAL_BACK_MS);
      standing = await standingOf({ ...call, plan: call.input.plan, since });
      for (const each of standing) look(each, seen, interval + 2 * FRESH_MS);
      return standing.every(isLevel) ? true : undefined;
    },
    {
      ...{ timeoutMs: PROVE_TIMEOUT_MS + 2 * interval, everyMs: LOOK_EVERY_MS, signal: call.signal },
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
      beacon
        ? arrived(each, seen.get(each.store)!, call.input.plan.from)
        : notMeasured(`lag of ${each.store}`, 'no beacon is configured'),
    ]),
  };
}

/** What has been seen of one store since the proof began. */
interface Seen {
  /** Where the source's stream ended at the first look. */
  readonly end: bigint;
  /** The newest watermark of the first look, here or in the journal, Unix milliseconds. */
  readonly firstMs: number;
  /** The newest of all looks, and since when it has been. */
  newestMs: number;
  sinceMs: number;
  /** Nobody has written a watermark for so long that nobody will. */
  isSilent: boolean;
}

function look(each: StoreStanding, seen: Map<MarkedStore, Seen>, silentMs: number): void {
  const { store, role } = each;
  const come = cameTo(each);
  // One that cannot be asked, here or at the source, tells nothing.
  if (role !== 'follows' || !come) return;
  const nowMs = performance.now();
  const newestMs = markedMs(each) + (each.lagMs ?? 0);
  const own = seen.get(store);
  if (!own) {
    seen.set(store, {
      end: come.here + come.ahead,
      firstMs: newestMs,
      newestMs,
      sinceMs: nowMs,
      isSilent: false,
    });
  } else if (newestMs > own.newestMs) Object.assign(own, { newestMs, sinceMs: nowMs, isSilent: false });
  else own.isSilent = nowMs - own.sinceMs >= silentMs;
}

const markedMs = ({ markedAt }: StoreStanding): number => (markedAt === undefined ? 0 : Date.parse(markedAt));

/** Everything that the source had written when the proof began. */
function isHere(each: StoreStanding, seen: Map<MarkedStore, Seen>): boolean {
  const own = seen.get(each.store);
  const come = cameTo(each);
  if (each.role !== 'follows' || each.streaming !== true || !come || !own) return false;
  return come.here >= own.end;
}

/** How far it has come and how far the source is ahead: in bytes, of MongoDB in seconds of its log. */
function cameTo({ store, position, lagBytes, logLagMs }: StoreStanding) {
  if (lagBytes !== undefined) return { here: valueOf(store, position), ahead: BigInt(lagBytes) };
  if (logLagMs === undefined || position === undefined) return undefined;
  return { here: BigInt(parseOptime(position).seconds), ahead: BigInt(Math.ceil(logLagMs / 1000)) };
}

/** A watermark of after the proof began; or there is none, and none that was journalled is missing. */
function isTold(each: StoreStanding, seen: Map<MarkedStore, Seen>): boolean {
  const own = seen.get(each.store)!;
  return isNew(each, own) || (own.isSilent && (each.lagMs ?? 0) <= FRESH_MS);
}

const isNew = (each: StoreStanding, own: Seen): boolean =>
  markedMs(each) > own.firstMs && (each.lagMs ?? Infinity) <= FRESH_MS;

function arrived(each: StoreStanding, own: Seen, source: string): Proof {
  const { store, lagMs, markedAt } = each;
  const name = `a watermark of the last seconds is in ${store}`;
  if (!isNew(each, own))
    return notMeasured(
      name,
      `the beacon of ${source} writes none; the newest here is ${markedAt === undefined ? 'none' : `of ${markedAt}`}`,
    );
  return proof(
    name,
    true,
    `one that was written meanwhile, at most ${formatDuration(FRESH_MS)} behind`,
    `${formatDuration(lagMs!)} behind`,
  );
}
