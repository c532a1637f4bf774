import { longestGapMs, parseCron } from './cron.ts';
import { formatDuration } from './duration.ts';
import { SCHEDULABLE, SCHEDULE_KINDS, type ScheduleConfig, type Schedules } from './schedules.ts';
import { SNAPSHOT_KINDS, snapshotKind, type SnapshotKind } from './snapshot.ts';
import type { SetFigures, Store } from './figures.ts';

/**
 * Whether schedules can meet an RPO at all: what is lost at worst is what came in since the newest point that had
 * been taken, proven and shipped. Interval, duration and shipping add up. Pure.
 */

export interface Term {
  readonly what: string;
  readonly ms: number;
  readonly assumed?: boolean;
}

export interface Arithmetic {
  readonly store: Store;
  readonly terms: readonly Term[];
  readonly totalMs: number;
  readonly rpoMs: number;
  readonly fits: boolean;
}

export interface RpoInput {
  readonly schedules: Schedules;
  readonly rpoMs: number;
  readonly redis: boolean;
  /** `wal`: it archives its log all the time. `dump`: only what a set holds comes back. */
  readonly database: 'wal' | 'dump' | undefined;
  /** From the last sets, where there are any. */
  readonly takesMs?: number;
  /** The same of snapshots. */
  readonly snapshotTakesMs?: Readonly<Partial<Record<SnapshotKind, number>>>;
  readonly archiveTimeoutMs?: number;
  /** From the last copy to the repository that counts; nothing where it is local. */
  readonly shipsMs?: number;
  /** Only what is in an off-site copy counts. */
  readonly offSite?: boolean;
}

/** Stated beside the sum wherever nothing was measured yet. */
export const ASSUMED = {
  takesMs: 60_000,
  snapshotTakesMs: 30_000,
  archiveTimeoutMs: 60_000,
  shipsMs: 0,
} as const;

/**
 * One sum for each store with data. Configuration is changed by people, who can back it up when they have: it is summed
 * where snapshots of it are scheduled, which are meant to spare them that.
 */
export function rpoArithmetic(input: RpoInput): Arithmetic[] {
  const ship = term('to ship it', input.shipsMs, ASSUMED.shipsMs);
  const sums: Arithmetic[] = [];
  const add = (store: Store, terms: readonly Term[]): void => {
    const totalMs = terms.reduce((sum, { ms }) => sum + ms, 0);
    sums.push({ store, terms, totalMs, rpoMs: input.rpoMs, fits: totalMs <= input.rpoMs });
  };
  const sets = (store: Store): Term[] => [...shortestOf(store, input), ship];
  if (input.redis) add('redis', sets('redis'));
  if (input.schedules.config) add('config', sets('config'));
  if (input.database === 'dump') add('database', sets('database'));
  if (input.database === 'wal') {
    const [base] = shortestOf('database', input);
    // Without a base there is nothing that the log could be replayed on.
    const first = Number.isFinite(base.ms)
      ? term('until WAL is archived (archive_timeout)', input.archiveTimeoutMs, ASSUMED.archiveTimeoutMs)
      : base;
    const shipped = input.offSite && Number.isFinite(base.ms) ? [untilShipped(input)] : [];
    add('database', [first, ...shipped, ship]);
  }
  return sums;
}

/** WAL goes off-site with each set, and with the schedule that does nothing else. */
function untilShipped(input: RpoInput): Term {
  const { copy } = input.schedules;
  const ms = copy ? intervalMs(copy) : Infinity;
  const [sets] = shortestOf('database', input);
  return ms <= sets.ms
    ? { what: 'between two runs of copy, which ships WAL', ms }
    : { what: `${sets.what}, which ship WAL`, ms: sets.ms };
}

function term(what: string, measuredMs: number | undefined, assumedMs: number): Term {
  return measuredMs === undefined ? { what, ms: assumedMs, assumed: true } : { what, ms: measuredMs };
}

/** Of all schedules that hold the store, the one whose interval and duration come to least. */
function shortestOf(store: Store, { schedules, takesMs, snapshotTakesMs = {} }: RpoInput): [Term, ...Term[]] {
  // A snapshot is used with a set: where none is made, nothing comes back.
  const makesSets = schedules.full ?? schedules.incremental;
  const options = SCHEDULE_KINDS.flatMap((kind): [Term, Term][] => {
    const schedule = schedules[kind];
    const covers: readonly Store[] = SCHEDULABLE[kind].covers;
    if (!schedule || !makesSets || !covers.includes(store)) return [];
    const interval = { what: `between two runs of ${kind}`, ms: intervalMs(schedule) };
    return kind === 'redis' || kind === 'config'
      ? [[interval, term('to make and prove a snapshot', snapshotTakesMs[kind], ASSUMED.snapshotTakesMs)]]
      : [[interval, term('to make and prove a set', takesMs, ASSUMED.takesMs)]];
  });
  const total = (terms: readonly Term[]): number => terms.reduce((sum, { ms }) => sum + ms, 0);
  const [shortest] = options.sort((a, b) => total(a) - total(b));
  return (
    shortest ?? [
      { what: 'without any schedule that backs it up', ms: Infinity },
      term('to make and prove a set', takesMs, ASSUMED.takesMs),
    ]
  );
}

function intervalMs({ every, cron, jitter }: ScheduleConfig): number {
  if (every !== undefined) return every + jitter;
  const parsed = parseCron(cron ?? '');
  return typeof parsed === 'string' ? Infinity : longestGapMs(parsed) + jitter;
}

/** `redis: 5 min 00 s between two runs of full + ... = 6 min 00 s, more than the RPO of 5 min 00 s` */
export function arithmeticText({ store, terms, totalMs, rpoMs, fits }: Arithmetic): string {
  const parts = terms.map(({ what, ms, assumed }) => `${duration(ms)} ${what}${assumed ? ' (assumed)' : ''}`);
  const verdict = fits ? 'within' : 'more than';
  return `${store}: ${parts.join(' + ')} = ${duration(totalMs)}, ${verdict} the RPO of ${formatDuration(rpoMs)}`;
}

const duration = (ms: number): string => (Number.isFinite(ms) ? formatDuration(ms) : 'for ever');

/** How long a set takes until it counts: the median of the newest, from its begin until it was proven. */
export function takesMs(sets: readonly SetFigures[]): number | undefined {
  const durations = sets
    .filter(({ resealed }) => !resealed)
    .slice(0, MEASURED_SETS)
    .map(
      ({ startedAt, createdAt, verifiedAt }) => Date.parse(verifiedAt ?? createdAt) - Date.parse(startedAt),
    )
    .sort((a, b) => a - b);
  return durations[Math.floor(durations.length / 2)];
}

const MEASURED_SETS = 5;

export function takesByKind(
  snapshots: readonly SetFigures[],
): Readonly<Partial<Record<SnapshotKind, number>>> {
  return Object.fromEntries(
    SNAPSHOT_KINDS.flatMap((kind) => {
      const takes = takesMs(snapshots.filter(({ set }) => snapshotKind(set) === kind));
      return takes === undefined ? [] : [[kind, takes]];
    }),
  );
}
