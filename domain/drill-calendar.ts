import { nextOccurrence, occurrences } from './calendar.ts';
import { CALENDAR_KINDS, DRILL_KINDS, type CalendarKind } from './calendar-kinds.ts';
import { parseCron } from './cron.ts';
import type { DrillType } from './drill.ts';
import { entriesOf, type CalendarInForce, type Entry, type EntryOf } from './journal.ts';
import type { RunRecord } from './run.ts';

/**
 * Which drills were due by the calendars that were in force, and what became of each. Nothing of it is stored: it
 * follows from the records of runs and the journal. Pure; times are UTC ISO strings.
 */

export const DUE_STATES = [
  ...(['done', 'done late', 'due', 'late', 'missed', 'skipped', 'deferred'] as const),
] as const;
export type DueState = (typeof DUE_STATES)[number];

export interface DueDrill {
  readonly drill: DrillType;
  /** By the calendar. */
  readonly dueAt: string;
  readonly state: DueState;
  readonly run?: string;
  readonly startedAt?: string;
  /** Why it was skipped or, the last time, deferred; by whom, and until when. */
  readonly reason?: string;
  readonly by?: string;
  readonly until?: string;
}

export type DueRun = Pick<RunRecord, 'run' | 'runbook' | 'clock' | 'drill' | 'outcome' | 'endedAt'>;

/** Every drill that has been due until now, oldest first. */
export function dueDrills(records: readonly DueRun[], entries: readonly Entry[], now: string): DueDrill[] {
  return DRILL_KINDS.flatMap((drill) => dueOf(drill, records, entries, now)).sort((a, b) =>
    a.dueAt < b.dueAt ? -1 : 1,
  );
}

function dueOf(
  drill: DrillType,
  records: readonly DueRun[],
  entries: readonly Entry[],
  now: string,
): DueDrill[] {
  const due = dueTimes(drill, entries, now);
  const runs = records
    .filter((record) => record.drill?.type === drill && wasMade(record))
    .map((record) => ({ record, at: startOf(record) }))
    .sort((a, b) => (a.at < b.at ? -1 : 1));
  return due.map(({ at: dueAt, lateMs }, index) => {
    const nextAt = due[index + 1]?.at;
    const own = runs.find(({ record, at }) => {
      const by = record.drill?.scheduled?.dueAt;
      // One that a schedule has started belongs to its own day, however long it waited.
      if (by !== undefined && due.some((each) => each.at === by)) return by === dueAt;
      return at >= dueAt && (nextAt === undefined || at < nextAt);
    });
    return judged({ drill, dueAt, lateMs, nextAt, run: own, entries, now });
  });
}

interface Judged {
  readonly drill: DrillType;
  readonly dueAt: string;
  readonly lateMs: number;
  readonly nextAt: string | undefined;
  readonly run: { readonly record: DueRun; readonly at: string } | undefined;
  readonly entries: readonly Entry[];
  readonly now: string;
}

function judged({ drill, dueAt, lateMs, nextAt, run, entries, now }: Judged): DueDrill {
  const about = <T extends { readonly drill: CalendarKind; readonly dueAt: string }>(all: readonly T[]) =>
    all.findLast((entry) => entry.drill === drill && entry.dueAt === dueAt);
  const deferred = about(entriesOf(entries, 'drill-deferred'));
  const skipped = about(entriesOf(entries, 'drill-skipped'));
  const why = deferred && { reason: deferred.reason, by: deferred.actor, until: deferred.until };
  const lateFrom = plus(deferred && deferred.until > dueAt ? deferred.until : dueAt, lateMs);
  const is = (state: DueState): DueDrill => ({ drill, dueAt, state, ...why });
  if (run)
    return {
      ...is(run.at > lateFrom ? 'done late' : 'done'),
      ...{ run: run.record.run, startedAt: run.at },
    };
  if (skipped) return { drill, dueAt, state: 'skipped', reason: skipped.reason, by: skipped.actor };
  // Deferred to the next one, which takes its place; else it should have been made by then.
  if (nextAt !== undefined) return is(deferred && deferred.until >= nextAt ? 'deferred' : 'missed');
  if (now > lateFrom) return is('late');
  return is(deferred && deferred.until > now ? 'deferred' : 'due');
}

/** Each with the patience that was in force. A calendar that replaces another one counts from that day on. */
function dueTimes(
  kind: CalendarKind,
  entries: readonly Entry[],
  now: string,
): { at: string; lateMs: number }[] {
  const calendars = entriesOf(entries, 'calendar');
  return calendars.flatMap((calendar, index) => {
    const own = calendar.schedules[kind];
    const until = [calendars[index + 1]?.at, now].filter((each) => each !== undefined).sort()[0]!;
    const cron = own && parseCron(own.cron);
    if (!own || !cron || typeof cron === 'string') return [];
    return occurrences(cron, own.timezone, Date.parse(calendar.at), Date.parse(until)).map((ms) => ({
      at: new Date(ms).toISOString(),
      lateMs: calendar.lateMs,
    }));
  });
}

export interface NextDue {
  readonly kind: CalendarKind;
  readonly at: string;
}

/** What comes next by the calendar in force, each kind once, the soonest first. */
export function nextDue(entries: readonly Entry[], now: string): NextDue[] {
  const calendar = calendarInForce(entries);
  return CALENDAR_KINDS.flatMap((kind) => {
    const own = calendar?.schedules[kind];
    const cron = own && parseCron(own.cron);
    if (!own || !cron || typeof cron === 'string') return [];
    const at = nextOccurrence(cron, own.timezone, Date.parse(now));
    return at === undefined ? [] : [{ kind, at: new Date(at).toISOString() }];
  }).sort((a, b) => (a.at < b.at ? -1 : 1));
}

export function calendarInForce(
  entries: readonly Entry[],
): (CalendarInForce & Pick<EntryOf<'calendar'>, 'at'>) | undefined {
  return entriesOf(entries, 'calendar').at(-1);
}

/** A drill that was refused or given up has shown nothing. */
export function wasMade({ outcome }: Pick<RunRecord, 'outcome'>): boolean {
  return outcome !== undefined && outcome !== 'REFUSED' && outcome !== 'ABORTED';
}

export function startOf({ clock, endedAt }: Pick<RunRecord, 'clock' | 'endedAt'>): string {
  return clock.find(({ name }) => name === 'started')?.at ?? clock[0]?.at ?? endedAt ?? '';
}

const plus = (at: string, ms: number): string => new Date(Date.parse(at) + ms).toISOString();

/** `component drill of 2026-03-01: late`, with why. */
export function dueText({ drill, dueAt, state, reason, by, until, run, startedAt }: DueDrill): string {
  const done = run === undefined ? '' : ` by ${run}, begun ${startedAt}`;
  const put = until === undefined ? '' : `${state === 'deferred' ? '' : ', was deferred'} until ${until}`;
  const why = reason === undefined ? '' : ` (${reason}; ${by})`;
  return `the ${drill} drill that was due ${dueAt}: ${state}${done}${put}${why}`;
}
