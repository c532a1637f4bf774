import { MARKED_STORES, type MarkedStore } from './beacon.ts';
import { formatDuration } from './duration.ts';
import { NAMES } from './points.ts';

/** What would have been lost, as it was measured every few minutes and kept beside the journal. Pure. */

/** One look at a serving site; null where the exposure of a store could not be measured. */
export interface ExposureSample {
  readonly at: string;
  readonly site: string;
  readonly stores: Readonly<Partial<Record<MarkedStore, number | null>>>;
}

export interface StoreExposure {
  readonly store: MarkedStore;
  /** The newest look. Null: not measured. */
  readonly nowMs: number | null;
  readonly at: string;
  /** The worst of the last 30 days; absent where none was measured. */
  readonly worstMs?: number;
  readonly worstAt?: string;
  /** Looks of these days in which it could not be measured. */
  readonly unmeasured: number;
}

export const EXPOSURE_DAYS = 30;

export function exposureOf(samples: readonly ExposureSample[]): StoreExposure[] {
  return MARKED_STORES.flatMap((store) => {
    const looks = samples
      .flatMap(({ at, stores }) => (stores[store] === undefined ? [] : [{ at, ms: stores[store] }]))
      .sort((a, b) => (a.at < b.at ? -1 : 1));
    const newest = looks.at(-1);
    if (!newest) return [];
    const measured = looks.flatMap(({ at, ms }) => (ms === null ? [] : [{ at, ms }]));
    const worst = measured.reduce<{ at: string; ms: number } | undefined>(
      (most, each) => (most && most.ms >= each.ms ? most : each),
      undefined,
    );
    return [
      {
        ...{ store, nowMs: newest.ms, at: newest.at, unmeasured: looks.length - measured.length },
        ...(worst && { worstMs: worst.ms, worstAt: worst.at }),
      },
    ];
  });
}

/** `Redis 2 min 05 s, worst of 30 days 12 min 00 s (2026-...)`. */
export function exposureText({ store, nowMs, at, worstMs, worstAt, unmeasured }: StoreExposure): string {
  const now = nowMs === null ? 'not measured' : formatDuration(nowMs);
  const worst = worstMs === undefined ? 'not measured' : `${formatDuration(worstMs)} (${worstAt})`;
  const without = unmeasured === 0 ? '' : `, ${unmeasured} looks without a measurement`;
  return `${NAMES[store]} ${now} (${at}), worst of ${EXPOSURE_DAYS} days ${worst}${without}`;
}
