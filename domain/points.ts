import { formatDuration } from './duration.ts';
import type { Store } from './figures.ts';

/**
 * To which moment each store of a recovery comes back, and how far these lie apart. What was written in between is in
 * one store and not in another: keys may name APIs that the database does not have yet, or not any more. Pure.
 */

export interface StorePoint {
  readonly store: Store;
  /** UTC ISO; absent where it is not known before the store is back. */
  readonly at?: string;
  /** Where the store comes from: `snapshot 2026...-redis`, `the end of the archive`. */
  readonly from: string;
}

interface Skew {
  readonly ms: number;
  readonly oldest: Store;
  readonly newest: Store;
}

/** Undefined where fewer than two points are known. */
export function skewOf(points: readonly StorePoint[]): Skew | undefined {
  const known = points.flatMap(({ store, at }) => (at === undefined ? [] : [{ store, ms: Date.parse(at) }]));
  const sorted = known.sort((a, b) => a.ms - b.ms);
  const [oldest, newest] = [sorted[0], sorted.at(-1)];
  if (!oldest || !newest || sorted.length < 2) return undefined;
  return { ms: newest.ms - oldest.ms, oldest: oldest.store, newest: newest.store };
}

/** `2 min 05 s: the configuration is older than the database`; what is not known is said. */
export function skewText(points: readonly StorePoint[]): string {
  const skew = skewOf(points);
  const unknown = points.filter(({ at }) => at === undefined).map(({ store }) => NAMES[store]);
  const without = unknown.length > 0 ? ` (without ${unknown.join(' and ')}, not known yet)` : '';
  if (!skew) return `not measured${without}`;
  if (skew.ms === 0) return `none${without}`;
  const { ms, oldest, newest } = skew;
  return `${formatDuration(ms)}: ${NAMES[oldest]} is older than ${NAMES[newest]}${without}`;
}

export const NAMES: Readonly<Record<Store, string>> = {
  redis: 'Redis',
  database: 'the database',
  config: 'the configuration',
};

/** What a step found out when its store was back. Redis is there by one way or another; a database goes on from its plan. */
export function withReached(points: readonly StorePoint[], reached: StorePoint): StorePoint[] {
  return points.map((point) => {
    if (point.store !== reached.store) return point;
    if (point.store !== 'database') return reached;
    // An idle database has its last commit long before the end of its archive, and nothing is missing for it.
    const at = [point.at ?? '', reached.at ?? ''].sort().at(-1)!;
    const from = point.from.endsWith(reached.from) ? point.from : `${point.from}, ${reached.from}`;
    return { store: point.store, from, ...(at === '' ? {} : { at }) };
  });
}
