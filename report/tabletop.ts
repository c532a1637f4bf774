import { personText } from '../domain/drill.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RunRecord } from '../domain/run.ts';
import type { Document } from './document.ts';
import { gapsOf, type AnsweredItem, type TabletopItem, type TabletopView } from '../domain/tabletop.ts';

/** A tabletop for people: the sheet before it, and what was said after it. Pure. */

/** What stands on the screen, or on paper, before an answer is given. */
export function itemLines(item: TabletopItem, view: TabletopView): string[] {
  return [
    `${item.phase.toUpperCase()}${item.kind === 'event' ? ', EVENT' : ''}  [${item.id}]`,
    `  ${item.text}`,
    `  ${item.ask}`,
    ...(view === 'participant'
      ? []
      : [
          `    a good answer: ${item.expected}`,
          ...(item.hint === undefined ? [] : [`    to help: ${item.hint}`]),
          ...(item.who ? [`    must be there: one of ${item.who.join(', ')}`] : []),
        ]),
  ];
}

/** The whole of it, as a facilitator or a participant may see it beforehand: participants get no events. */
export function sheetLines(items: readonly TabletopItem[], view: TabletopView): string[] {
  return items
    .filter(({ kind }) => view === 'facilitator' || kind === 'question')
    .flatMap((item) => [...itemLines(item, view), ...(view === 'participant' ? ['    answer:', ''] : [''])]);
}

export function tabletopText(record: RunRecord): string {
  return [
    `${record.outcome}: tabletop of ${record.deployment}, from ${record.from} to ${record.to}`,
    `  run ${record.run}, ${record.scenario}; "${record.reason}", by ${record.actor}`,
    `  from ${record.clock.at(-1)?.at} to ${record.endedAt}`,
    ...(record.error ? [`  error: ${record.error.message}`, `  hint: ${record.error.hint}`] : []),
    '',
    'Nothing was recovered, and no time or loss of data was measured.',
    '',
    'WHAT WAS SAID',
    ...tabletopLines(record),
  ].join('\n');
}

/** The same as a page. */
export function tabletopDocument(record: RunRecord): Document {
  const { items, absentRoles } = record.drill!.tabletop!;
  const asked = items.filter((item) => item.asked);
  return {
    title: `${record.outcome}: tabletop of ${record.deployment} (${record.run})`,
    lead: [
      `Scenario ${record.scenario}, from ${record.from} to ${record.to}; "${record.reason}", by ${record.actor}; ${record.clock.at(-1)?.at} to ${record.endedAt}.`,
      'Nothing was recovered, and no time or loss of data was measured.',
      ...(record.error ? [record.error.message] : []),
    ],
    sections: [
      {
        title: 'Who was there',
        table: {
          head: ['role', 'person'],
          rows: [
            ...(record.drill!.present ?? []).map((each) => [each.role, personText(each)]),
            ...absentRoles.map((role) => [role, 'GAP: nobody']),
          ],
        },
      },
      {
        title: `Asked: ${asked.length} of ${items.length}`,
        table: {
          head: ['phase', 'what', 'answer', 'who, time', 'gap', 'a good answer'],
          rows: asked.map((item) => [
            ...[item.phase, `${item.text} ${item.ask}`, item.answer ?? '', saidBy(item).slice(2, -1)],
            ...[item.gap ?? '', item.expected],
          ]),
        },
      },
    ],
    foot: `Plan ${record.planDigest.slice(0, 16)}, configuration ${record.configDigest.slice(0, 16)}. Times are UTC.`,
  };
}

function tabletopLines({ drill }: RunRecord): string[] {
  const tabletop = drill?.tabletop;
  if (!tabletop) return [];
  const { items, absentRoles } = tabletop;
  const asked = items.filter((item) => item.asked);
  const present = (drill.present ?? []).map((each) => `${each.role}: ${personText(each)}`);
  return [
    `  ${asked.length} of ${items.length} asked, ${gapsOf(tabletop).length} gaps`,
    `  there: ${present.join(', ') || 'nobody of any role'}`,
    ...absentRoles.map((role) => `  GAP  nobody took the role ${role}`),
    ...asked.flatMap((item) => [
      `  ${item.gap === undefined ? '+' : 'GAP'}  ${item.id}: ${item.ask}`,
      `       "${item.answer?.trim() || 'no answer'}"${saidBy(item)}`,
      ...(item.gap === undefined ? [] : [`       gap: ${item.gap}`, `       expected: ${item.expected}`]),
    ]),
  ];
}

function saidBy({ by, tookMs }: AnsweredItem): string {
  const parts = [
    ...(by === undefined ? [] : [by]),
    tookMs === undefined ? 'time not measured' : formatDuration(tookMs),
  ];
  return ` (${parts.join(', ')})`;
}
