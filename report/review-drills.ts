import { personText } from '../domain/drill.ts';
import { dueText } from '../domain/drill-calendar.ts';
import type { DrillStanding } from '../domain/drill-standing.ts';
import { formatDays } from '../domain/duration.ts';
import type { Quarter } from '../domain/quarter.ts';
import type { Section } from './document.ts';

/** The parts of the quarterly review about drills, training and audits. Pure. */

interface Facts {
  readonly standing: DrillStanding;
  readonly quarter: Quarter;
}

export function drillSections(facts: Facts): Section[] {
  return [dueAndDone(facts), change(facts), practice(facts), missing(facts)];
}

function dueAndDone({ standing: { due, next, inForce }, quarter }: Facts): Section {
  const own = due.filter(({ dueAt }) => dueAt >= quarter.from && dueAt < quarter.until);
  const done = own.filter(({ state }) => state === 'done' || state === 'done late').length;
  return {
    title: `Drills due and done: ${done} of ${own.length}`,
    text: [
      ...(inForce ? [] : ['No calendar of drills is in force: drill.schedules, then tyk-dr schedule apply.']),
      ...(inForce && own.length === 0 ? ['None was due in this quarter.'] : []),
      ...(next.length > 0
        ? [`Next: ${next.map(({ kind, at }) => `${kind} ${at.slice(0, 10)}`).join(', ')}.`]
        : []),
    ],
    table: {
      head: ['drill', 'due', 'state', 'run', 'in words'],
      rows: own.map((each) => [each.drill, each.dueAt, each.state, each.run ?? '', dueText(each)]),
    },
  };
}

function change({ standing: { change: found } }: Facts): Section {
  const title = 'Changes since the last drill';
  if (found.since === undefined) return { title, text: ['No technical drill has been made yet.'] };
  const since = `Since ${found.since} (${found.at?.slice(0, 10)})`;
  return {
    title,
    text: [
      found.changes.length === 0
        ? `${since}: nothing beyond the limits of drill.majorChange.`
        : `${since}, a drill is due:`,
    ],
    list: [...found.changes],
  };
}

function practice({ standing: { training } }: Facts): Section {
  const short = training.filter(({ practised, needed }) => practised < needed);
  return {
    title: 'Who has practised which role',
    text:
      training.length === 0
        ? ['No role is declared (roles: in the configuration).']
        : short.length === 0
          ? ['Every role has enough people who have practised it.']
          : [
              `Too few: ${short.map(({ role, practised, needed }) => `${role} (${practised} of ${needed})`).join(', ')}.`,
            ],
    table: {
      head: ['role', 'person', 'last practised', 'in', 'within its interval'],
      rows: training.flatMap(({ role, people, trainEveryMs }) =>
        people.map(({ lastAt, run, isPractised, ...who }) => [
          ...[role, personText(who), lastAt?.slice(0, 10) ?? 'never', run ?? ''],
          isPractised ? 'yes' : `NO (${formatDays(trainEveryMs)})`,
        ]),
      ),
    },
  };
}

function missing({ standing: { unsigned, withoutLesson } }: Facts): Section {
  return {
    title: 'What is missing of earlier reviews and runs',
    text: unsigned.length + withoutLesson.length === 0 ? ['Nothing.'] : [],
    list: [
      ...unsigned.map(
        ({ quarter, signBy }) => `The review of ${quarter} is not signed; it was due ${signBy.slice(0, 10)}.`,
      ),
      ...withoutLesson.map(({ run, what }) => `No lesson was recorded of the ${what} ${run}.`),
    ],
  };
}

/** The guide asks for one a year. */
export function auditSection({ standing: { audit } }: Facts): Section {
  const title = 'Third-party audit';
  const { last, dueAt, overdue } = audit;
  const next =
    dueAt === undefined ? '' : `the next is due ${dueAt.slice(0, 10)}${overdue ? ': OVERDUE' : ''}`;
  if (!last)
    return { title, text: [`None has been recorded (tyk-dr findings import): ${next || 'one is due'}.`] };
  return { title, text: [`The last by ${last.by}, recorded ${last.at.slice(0, 10)}; ${next}.`] };
}
