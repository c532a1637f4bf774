import type { Severity } from './findings.ts';
import type { Participant } from './drill.ts';
import type { Phase, RunRecord } from './run.ts';

/** A tabletop: people walk through the plan of a recovery, and say what they would do. Nothing is done. Plain JSON. */

export const TABLETOP_VIEWS = ['facilitator', 'participant'] as const;
export type TabletopView = (typeof TABLETOP_VIEWS)[number];

export interface TabletopItem {
  /** The same in every tabletop: its gap is closed by a later one. */
  readonly id: string;
  readonly phase: Phase;
  /** An event is what nobody has expected. */
  readonly kind: 'question' | 'event';
  readonly text: string;
  /** What is asked. */
  readonly ask: string;
  /** What a good answer holds; for the facilitator alone. */
  readonly expected: string;
  readonly hint?: string;
  /** Somebody of these must be there for it to be answered at all; anybody where it is absent. */
  readonly who?: readonly string[];
}

export interface AnsweredItem extends TabletopItem {
  /** False where the session ended before. */
  readonly asked: boolean;
  readonly answer?: string;
  readonly by?: string;
  /** Absent where nobody took the time: a session on paper. */
  readonly tookMs?: number;
  readonly gap?: string;
}

export interface TabletopRecord {
  readonly view: TabletopView;
  readonly items: readonly AnsweredItem[];
  /** Roles of which nobody was there. */
  readonly absentRoles: readonly string[];
}

/** What of an answer is a gap; undefined where none is. */
export function gapOf(
  item: TabletopItem,
  { answer, gap }: { readonly answer: string; readonly gap?: string | undefined },
  present: readonly Participant[],
): string | undefined {
  const found = [
    ...(gap === undefined || gap === '' ? [] : [gap]),
    ...(answer.trim() === '' ? ['no answer'] : []),
    ...(item.who && !item.who.some((who) => present.some(({ person }) => person === who))
      ? [`nobody of ${item.who.join(', ')} was there`]
      : []),
  ];
  return found.length === 0 ? undefined : found.join('; ');
}

/** Every gap of a tabletop, in words. */
export function gapsOf({ items, absentRoles }: TabletopRecord): string[] {
  return [
    ...absentRoles.map((role) => `role ${role}: nobody was there`),
    ...items.flatMap(({ id, gap }) => (gap === undefined ? [] : [`${id}: ${gap}`])),
  ];
}

export interface TabletopCheck {
  readonly check: string;
  readonly verdict: 'pass' | 'fail';
  readonly severity: Severity;
  readonly text: string;
}

/** What it has shown, check by check; what was not asked is no check. */
export function tabletopChecks({ drill }: Pick<RunRecord, 'drill'>): TabletopCheck[] {
  const tabletop = drill?.tabletop;
  if (!tabletop) return [];
  const roles = [...new Set(drill.participants.map(({ role }) => role))];
  return [
    ...tabletop.items
      .filter(({ asked }) => asked)
      .map(({ id, gap, ask }): TabletopCheck => ({
        ...{ check: `tabletop/${id}`, verdict: gap === undefined ? 'pass' : 'fail', severity: 'medium' },
        text: `${ask} ${gap === undefined ? 'was answered' : `Gap: ${gap}`}`,
      })),
    ...roles.map((role): TabletopCheck => {
      const absent = tabletop.absentRoles.includes(role);
      return {
        ...{ check: `tabletop/role-${role}`, verdict: absent ? 'fail' : 'pass', severity: 'medium' },
        text: absent ? `nobody took the role ${role}` : `the role ${role} was taken`,
      };
    }),
  ];
}
