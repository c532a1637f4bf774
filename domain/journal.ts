import type { CalendarKind } from './calendar-kinds.ts';
import type { Participant } from './drill.ts';
import type { Objectives } from './objectives.ts';
import type { Severity } from './findings.ts';

/** What people have said about findings, lessons and reviews: events, never changed and never removed. Plain JSON. */

export const JOURNAL_FORMAT = 'tyk-dr/journal/v1';

interface Said {
  readonly actor: string;
  /** UTC ISO. */
  readonly at: string;
}

/** An SSH signature over `signOffText`. */
export interface SignedBy {
  /** As it was signed, UTC ISO. */
  readonly at: string;
  readonly signature: string;
}

export interface SignOff {
  readonly deployment: string;
  readonly quarter: string;
  /** SHA-256 of what was read. */
  readonly review: string;
  readonly role: string;
  readonly actor: string;
  readonly at: string;
}

/** The text that is signed; each part one line. */
export function signOffText(of: SignOff): string {
  return [
    'tyk-dr sign-off, format 1',
    `deployment: ${of.deployment}`,
    `quarter: ${of.quarter}`,
    `review: ${of.review}`,
    `role: ${of.role}`,
    `actor: ${of.actor}`,
    `at: ${of.at}`,
    '',
  ].join('\n');
}

export interface ImportedFinding {
  /** What it is about, the same each time: `doctor/keys/primary`, `audit/3.1`. */
  readonly check: string;
  readonly severity: Severity;
  readonly text: string;
}

/** What was due when, from this event to the next of its kind. */
export interface CalendarInForce {
  readonly schedules: Readonly<
    Partial<Record<CalendarKind, { readonly cron: string; readonly timezone: string }>>
  >;
  readonly lateMs: number;
  readonly signWithinMs: number;
}

export type JournalEvent = Said &
  (
    | {
        readonly kind: 'assigned';
        readonly finding: string;
        readonly owner: string;
        /** A day. */
        readonly due?: string;
        readonly severity?: Severity;
      }
    | {
        readonly kind: 'accepted';
        readonly finding: string;
        /** Who bears the risk. */
        readonly by: string;
        /** Until the end of this day. */
        readonly until: string;
        readonly reason: string;
      }
    | {
        readonly kind: 'closed';
        readonly finding: string;
        /** The later run in which the check passed, and when that ended. */
        readonly run: string;
        readonly runAt: string;
        readonly reason: string;
        /** `asserted`: no run performs this check, so that it is a person's word. */
        readonly basis: 'the check passed' | 'asserted';
      }
    | {
        readonly kind: 'imported';
        readonly source: 'doctor' | 'audit';
        /** Who audited, or on which host the doctor ran. */
        readonly by: string;
        readonly findings: readonly ImportedFinding[];
        /** Checks that were looked at and were well. */
        readonly passed: readonly string[];
      }
    | { readonly kind: 'lesson'; readonly run: string; readonly text: string; readonly owner: string }
    | {
        readonly kind: 'signed';
        readonly quarter: string;
        readonly role: string;
        /** SHA-256 of the Markdown of the review that was signed. */
        readonly review: string;
        readonly tier: string;
        readonly objectives: Objectives;
        /** Absent where the name is only asserted. */
        readonly signed?: SignedBy;
      }
    | ({ readonly kind: 'calendar' } & CalendarInForce)
    | {
        readonly kind: 'drill-deferred';
        readonly drill: CalendarKind;
        /** When it was due by the calendar. */
        readonly dueAt: string;
        readonly until: string;
        readonly reason: string;
      }
    | {
        readonly kind: 'drill-skipped';
        readonly drill: CalendarKind;
        readonly dueAt: string;
        readonly reason: string;
      }
    /** Who was there, where a run does not say it itself. */
    | { readonly kind: 'attended'; readonly run: string; readonly participants: readonly Participant[] }
  );

/** An event as it lies in the journal. */
export type Entry = JournalEvent & { readonly id: string };

export type EntryOf<Kind extends JournalEvent['kind']> = Extract<Entry, { readonly kind: Kind }>;

export function entriesOf<Kind extends JournalEvent['kind']>(
  entries: readonly Entry[],
  kind: Kind,
): EntryOf<Kind>[] {
  return entries.filter((entry): entry is EntryOf<Kind> => entry.kind === kind);
}
