import { countAbandoned } from '../domain/abandoned.ts';
import { NAMES } from '../domain/points.ts';
import type { RunRecord } from '../domain/run.ts';

/** What only the old data of a site had, for people. Pure. */

const LISTED = 30;

export function abandonedLines({ abandoned }: Pick<RunRecord, 'abandoned'>): string[] {
  if (!abandoned) return [];
  const { kept, items, unnamed } = abandoned;
  const more = countAbandoned(abandoned) - Math.min(items.length, LISTED);
  return [
    ...kept.map((place) => `  kept in ${place}`),
    ...items
      .slice(0, LISTED)
      .map(
        ({ store, kind, name, change }) =>
          `  ${NAMES[store]}: ${kind} ${name}${change === 'differs' ? ', differs from what is there now' : ''}`,
      ),
    ...(more > 0 ? [`  and ${more} more (${items.length} of them with --format json)`] : []),
    ...(items.length === 0 ? ['  nothing by name'] : []),
    ...unnamed.map((text) => `  ? not named: ${text}`),
  ];
}
