import { dueText, type DueDrill } from '../domain/drill-calendar.ts';
import type { DrillStanding } from '../domain/drill-standing.ts';
import { notPractised } from '../domain/training.ts';
import { columns } from './columns.ts';

/** How drills stand, for a terminal. Pure. */

/** Everything that somebody has to see to, a line each; none where all is well. */
export function openDrills({ due, change, training, audit, unsigned }: DrillStanding): string[] {
  return [
    ...newestOf(due)
      .filter(({ state }) => ['due', 'late', 'missed'].includes(state))
      .map(dueText),
    ...(change.changes.length > 0
      ? [
          `a drill is due after a major change since ${change.since} (${change.at?.slice(0, 10)}): ${change.changes.join('; ')}`,
        ]
      : []),
    ...training
      .filter(({ practised, needed }) => practised < needed)
      .map(
        (role) =>
          `${role.practised} of at least ${role.needed} have practised ${role.role}; not: ${notPractised(role).join(', ')}`,
      ),
    ...(audit.overdue ? [`the audit by a third party was due ${audit.dueAt?.slice(0, 10)}`] : []),
    ...unsigned.map(
      ({ quarter, signBy }) => `the review of ${quarter} is not signed; it was due ${signBy.slice(0, 10)}`,
    ),
  ];
}

/** Of each kind only the last: what was missed before is a finding, and no longer to be done. */
function newestOf(due: readonly DueDrill[]): DueDrill[] {
  return [...new Map(due.map((each) => [each.drill, each])).values()];
}

/** As many of the past as fit on a screen. */
const SHOWN = 20;

export function drillLines(name: string, standing: DrillStanding): string[] {
  const { due, next, inForce, change } = standing;
  return [
    ...(inForce
      ? []
      : [
          `No calendar is in force: drill.schedules in the configuration, then tyk-dr schedule apply ${name}`,
        ]),
    ...(due.length === 0
      ? []
      : columns([
          ['DRILL', 'WAS DUE', 'STATE', 'RUN', 'WHY'],
          ...due
            .slice(-SHOWN)
            .map(({ drill, dueAt, state, run = '', reason, by, until }) => [
              ...[
                drill,
                dueAt,
                until !== undefined && state !== 'done' ? `${state} until ${until}` : state,
                run,
              ],
              reason === undefined ? '' : `${reason} (${by})`,
            ]),
        ])),
    ...(due.length > SHOWN ? [`(${due.length - SHOWN} earlier ones: --json)`] : []),
    ...(next.length > 0 ? ['', 'NEXT', ...next.map(({ kind, at }) => `  ${at}  ${kind}`)] : []),
    '',
    'AFTER A MAJOR CHANGE',
    change.since === undefined
      ? '  no technical drill has been made yet'
      : change.changes.length === 0
        ? `  nothing major has changed since ${change.since}`
        : `  DUE: ${change.changes.join('; ')} since ${change.since}`,
    ...trainingLines(standing),
  ];
}

function trainingLines({ training }: DrillStanding): string[] {
  if (training.length === 0) return [];
  return [
    '',
    ...columns([
      ['ROLE', 'PRACTISED', 'WHO HAS NOT'],
      ...training.map((role) => [
        role.role,
        `${role.practised} of ${role.needed}${role.practised < role.needed ? ': TOO FEW' : ''}`,
        notPractised(role).join(', ') || 'nobody',
      ]),
    ]),
  ];
}
