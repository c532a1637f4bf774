import { dueText, type DueDrill, type DueState } from './drill-calendar.ts';
import type { DrillStanding } from './drill-standing.ts';
import type { Found, Severity } from './findings.ts';
import { notPractised } from './training.ts';

/** What no run has found and yet is missing: drills, practice, signatures, audits, lessons. Pure. */

const SEVERITY: Readonly<Partial<Record<DueState, Severity>>> = {
  missed: 'high',
  late: 'medium',
  skipped: 'medium',
  deferred: 'low',
  'done late': 'low',
};

/** @param now UTC ISO */
export function standingFindings(
  { due, training, audit, unsigned, withoutLesson }: DrillStanding,
  now: string,
): Found[] {
  return [
    ...due.flatMap(ofDrill),
    ...training.flatMap((role): Found[] =>
      role.practised >= role.needed
        ? []
        : [
            {
              ...{ check: `roles/${role.role}`, severity: 'medium', in: 'roles' },
              // The one that never had enough has begun with itself: its id does not depend on a day.
              ...(role.shortSince === undefined ? { at: now, key: 'never' } : { at: role.shortSince }),
              text: `${role.practised} of at least ${role.needed} have practised ${role.role}; not: ${notPractised(role).join(', ')}`,
            },
          ],
    ),
    ...(audit.overdue && audit.dueAt !== undefined
      ? [
          {
            ...{ check: 'third-party-audit', severity: 'high' as const, in: 'calendar', at: audit.dueAt },
            text: `the audit by a third party was due ${audit.dueAt.slice(0, 10)}; the last: ${audit.last ? `${audit.last.at.slice(0, 10)} by ${audit.last.by}` : 'none recorded'}`,
          },
        ]
      : []),
    ...unsigned.map(({ quarter, signBy }): Found => ({
      ...{ check: `review/${quarter}`, severity: 'medium', in: 'calendar', at: signBy },
      text: `the review of ${quarter} should have been signed by ${signBy.slice(0, 10)}`,
    })),
    ...withoutLesson.map(({ run, at, what }): Found => ({
      ...{ check: `lesson/${run}`, severity: 'low', in: run, at },
      text: `no lesson was recorded of the ${what} ${run}`,
    })),
  ];
}

/** A drill that was put off without need for more than its deferral is one finding, of one day. */
function ofDrill(due: DueDrill): Found[] {
  const { drill, dueAt, state, reason } = due;
  const severity = SEVERITY[state] ?? (state === 'done' && reason !== undefined ? 'low' : undefined);
  if (severity === undefined) return [];
  return [{ check: `drill/${drill}`, severity, in: `calendar of ${dueAt}`, at: dueAt, text: dueText(due) }];
}

/** What goes by itself, and is closed by nobody: with what it goes. */
export function goesWith(check: string): string | undefined {
  const [kind, what] = check.split('/') as [string, string | undefined];
  switch (kind) {
    case 'roles':
      return `it goes when enough people have taken part in drills as ${what}`;
    case 'third-party-audit':
      return 'it goes when an audit is taken in with findings import';
    case 'review':
      return `it goes when the review is signed: tyk-dr review sign DEPLOYMENT --quarter ${what} --role ROLE`;
    case 'lesson':
      return `it goes with a lesson: tyk-dr lesson add ${what}`;
    default:
      return undefined;
  }
}
