import type { CalendarKind, TechnicalDrill } from './calendar-kinds.ts';
import type { Participant } from './drill.ts';
import type { JournalEvent } from './journal.ts';
import type { Recoverable, Scenario } from './run.ts';

/** What workflows of the calendar and their activities tell each other. Plain JSON. */

export interface PrepareInput {
  readonly deployment: string;
  readonly drill: TechnicalDrill;
  /** When it was due by the calendar. */
  readonly dueAt: string;
}

/** What is to become of a drill that is due, as the worker's own configuration and repository have it. */
export type Preparation =
  | {
      readonly then: 'run';
      readonly scenario: Scenario;
      readonly component?: Recoverable;
      /** It is one of those that get a fault. */
      readonly plant: boolean;
      readonly participants: readonly Participant[];
      readonly configDigest: string;
    }
  | { readonly then: 'wait'; readonly until: string; readonly reason: string }
  | { readonly then: 'leave'; readonly reason: string };

type Unsaid<Event> = Event extends unknown ? Omit<Event, 'at'> : never;

/** What may be written into the journal from Temporal: nothing that speaks for a person about findings or reviews. */
export type CalendarNote = Unsaid<
  Extract<JournalEvent, { kind: 'calendar' | 'drill-deferred' | 'drill-skipped' }>
>;

export interface PaperInput {
  readonly deployment: string;
  readonly kind: Extract<CalendarKind, 'review' | 'handbook'>;
  /** When it was due by the calendar. */
  readonly dueAt: string;
}

export interface WrittenPaper {
  readonly files: readonly string[];
  /** Of a review. */
  readonly quarter?: string;
}

/** Who acts for a schedule. */
export const SCHEDULE_ACTOR = 'schedule';
