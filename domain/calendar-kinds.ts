import type { DrillType } from './drill.ts';

/** What the calendar of drills knows, and what each is. */

export const CALENDAR = {
  component: {
    purpose: 'A component drill; the components of the deployment in turn. The guide: monthly.',
  },
  simulation: { purpose: 'A simulation; the five scenarios in turn. The guide: quarterly.' },
  full: { purpose: 'A full drill; the scenarios in turn. The guide: yearly.' },
  tabletop: { purpose: 'A tabletop: people are told that it is due, for it needs them.' },
  review: { purpose: 'Writes the quarterly review, and tells people that it is to be signed.' },
  audit: { purpose: 'The audit by a third party: people are told that it is due. The guide: yearly.' },
  handbook: { purpose: 'Writes the handbook afresh, beside the backup sets.' },
} as const satisfies Record<string, { readonly purpose: string }>;

export type CalendarKind = keyof typeof CALENDAR;
export const CALENDAR_KINDS = Object.keys(CALENDAR) as CalendarKind[];

/** Drills that need nobody. */
export const TECHNICAL = ['component', 'simulation', 'full'] as const satisfies readonly DrillType[];
export type TechnicalDrill = (typeof TECHNICAL)[number];

export const isTechnical = (kind: string): kind is TechnicalDrill =>
  (TECHNICAL as readonly string[]).includes(kind);

/** Kinds that a person does, and of which it is known when it was done. */
export const DRILL_KINDS = ['component', 'simulation', 'full', 'tabletop'] as const;
