import { refused, transient, usage, type ErrorEntry } from './error-kinds.ts';

/** Schedules and notices: the part of the error table about what goes on by itself. */

export const WATCH_ERRORS = {
  RPO_MISSED: usage(
    (d) => `the schedules of ${d.deployment} cannot meet its RPO:\n  ${d.sums}`,
    'Back up more often, or state an RPO under objectives that this deployment can keep. Nothing was changed.',
  ),
  NOTICE_UNSENT: transient(
    (d) => `${d.channel} was not told: ${d.reason}`,
    'Look at notify in tyk-dr.yaml. Nothing else fails because of it.',
  ),
  SCHEDULE_FOREIGN: refused(
    (d) => `the schedule ${d.id} was not made by tyk-dr for this deployment`,
    'Look at it in the Temporal UI; delete or rename it, then apply again.',
  ),
} as const satisfies Record<string, ErrorEntry>;
