import type { LostItem, LostItems } from '../domain/lost-items.ts';
import type { RunRecord } from '../domain/run.ts';

/** What was lost, by name, for people. Pure. */

const LISTED = 30;

export function lostItemLines({ lostItems, losses }: Pick<RunRecord, 'lostItems' | 'losses'>): string[] {
  if (!lostItems) {
    const lost = (losses ?? []).some(
      ({ lost: numbers = 0, notMeasured }) => numbers > 0 || notMeasured !== undefined,
    );
    return lost ? ['  ? nothing was looked for by name'] : [];
  }
  const { items, beyond, looked, unnamed } = lostItems;
  const more = beyond + Math.max(0, items.length - LISTED);
  return [
    ...items.slice(0, LISTED).map((item) => `  ${lostItemText(item)}`),
    ...(more > 0 ? [`  and ${more} more (${items.length} of them with --format json)`] : []),
    ...(items.length === 0 && looked.length > 0
      ? ['  nothing that was looked through is later than what was recovered']
      : []),
    ...(looked.length > 0 ? [`  looked through: ${looked.join('; ')}`] : []),
    ...unnamed.map((text) => `  ? not named: ${text}`),
  ];
}

const SAID = { created: 'created', changed: 'changed', deleted: 'deleted', used: 'in use' } as const;

/** `API 4f2a (orders) changed 2026-..., by ann: audit trail`. */
export function lostItemText({ kind, name, change, at, by, source, perhaps }: LostItem): string {
  const when = at === undefined ? '' : ` ${change === 'used' ? 'until ' : ''}${at}`;
  const gone = change === 'used' ? ', not in Redis any more: made since, or expired' : '';
  return `${kind === 'other' ? '' : `${kind} `}${name} ${SAID[change]}${when}${by === undefined ? '' : `, by ${by}`}${gone}${perhaps ? ', in the very second of the recovered point: perhaps lost' : ''} (${source})`;
}

export function lostItemsSummary(lostItems: LostItems | undefined): string {
  if (!lostItems) return 'not looked for';
  const count = lostItems.items.length + lostItems.beyond;
  return `${count} by name${lostItems.unnamed.length > 0 ? '; not everything can be named' : ''}`;
}
