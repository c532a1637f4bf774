import { nextOccurrence } from './calendar.ts';
import { parseCron } from './cron.ts';
import { calendarInForce, dueDrills, nextDue, type DueDrill, type NextDue } from './drill-calendar.ts';
import { endOf } from './findings.ts';
import { entriesOf, type Entry } from './journal.ts';
import { majorChange, type ChangeLimits, type CurrentState, type MajorChange } from './major-change.ts';
import { quarterAt } from './quarter.ts';
import type { RunRecord } from './run.ts';
import { trainingOf, type TrainedRole, type Training } from './training.ts';

/** How a deployment stands with its drills, its training, its reviews and its audits. Pure; JSON. */

export interface DrillStanding {
  /** Whether a calendar was ever put in force. */
  readonly inForce: boolean;
  readonly due: readonly DueDrill[];
  readonly next: readonly NextDue[];
  readonly change: MajorChange;
  readonly training: readonly Training[];
  readonly audit: AuditStanding;
  readonly unsigned: readonly UnsignedReview[];
  readonly withoutLesson: readonly { readonly run: string; readonly at: string; readonly what: string }[];
}

export interface AuditStanding {
  readonly last?: { readonly at: string; readonly by: string };
  /** Absent where none was ever recorded and no calendar says when. */
  readonly dueAt?: string;
  readonly overdue: boolean;
}

export interface UnsignedReview {
  readonly quarter: string;
  /** Until when it should have been signed. */
  readonly signBy: string;
}

export interface StandingFacts {
  readonly records: readonly RunRecord[];
  readonly entries: readonly Entry[];
  readonly roles: Readonly<Record<string, TrainedRole>>;
  readonly limits: ChangeLimits;
  readonly current: CurrentState;
  /** UTC ISO. */
  readonly now: string;
}

export function drillStanding({
  records,
  entries,
  roles,
  limits,
  current,
  now,
}: StandingFacts): DrillStanding {
  return {
    inForce: calendarInForce(entries) !== undefined,
    due: dueDrills(records, entries, now),
    next: nextDue(entries, now),
    change: majorChange(records, current, limits),
    training: trainingOf(roles, records, entries, now),
    audit: auditStanding(entries, now),
    unsigned: unsignedReviews(entries, now),
    withoutLesson: withoutLesson(records, entries),
  };
}

/** Of the calendar where it has one, else a year after the last one. */
export function auditStanding(entries: readonly Entry[], now: string): AuditStanding {
  const last = entriesOf(entries, 'imported').findLast(({ source }) => source === 'audit');
  const calendars = entriesOf(entries, 'calendar');
  const own = calendars.at(-1)?.schedules.audit;
  const cron = own && parseCron(own.cron);
  const since = last?.at ?? calendars.find(({ schedules }) => schedules.audit)?.at;
  const byCalendar =
    own && cron && typeof cron !== 'string' && since !== undefined
      ? nextOccurrence(cron, own.timezone, Date.parse(since))
      : undefined;
  const dueAt =
    byCalendar !== undefined
      ? new Date(byCalendar).toISOString()
      : last && `${Number(last.at.slice(0, 4)) + 1}${last.at.slice(4)}`;
  return {
    ...(last ? { last: { at: last.at, by: last.by } } : {}),
    ...(dueAt === undefined ? {} : { dueAt }),
    overdue: dueAt !== undefined && now > dueAt,
  };
}

/** Every quarter that has ended while a calendar with reviews was in force, and whose time to sign is over. */
function unsignedReviews(entries: readonly Entry[], now: string): UnsignedReview[] {
  const first = entriesOf(entries, 'calendar').find(({ schedules }) => schedules.review);
  if (!first || !calendarInForce(entries)?.schedules.review) return [];
  const signed = new Set(entriesOf(entries, 'signed').map(({ quarter }) => quarter));
  const found: UnsignedReview[] = [];
  for (let quarter = quarterAt(first.at); quarter.until <= now; quarter = quarterAt(quarter.until)) {
    const { signWithinMs } = calendarInForce(entries)!;
    const signBy = new Date(Date.parse(quarter.until) + signWithinMs).toISOString();
    if (signBy < now && !signed.has(quarter.name)) found.push({ quarter: quarter.name, signBy });
  }
  return found;
}

function withoutLesson(
  records: readonly RunRecord[],
  entries: readonly Entry[],
): DrillStanding['withoutLesson'] {
  const learned = new Set(entriesOf(entries, 'lesson').map(({ run }) => run));
  return records
    .filter(
      ({ outcome, drill, run, runbook }) =>
        outcome !== undefined &&
        runbook !== 'replicate' &&
        outcome !== 'REFUSED' &&
        (drill === undefined || drill.type === 'full') &&
        !learned.has(run),
    )
    .map((record) => ({
      ...{ run: record.run, at: endOf(record) },
      what: record.drill ? 'full drill' : record.runbook === 'failover' ? 'failover' : 'recovery',
    }));
}
