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
  MONITOR_NOT_CONFIGURED: usage(
    (d) => `${d.deployment} has no monitor in the configuration`,
    'Say under monitor: who looks, and what must be reachable from everywhere.',
  ),
  MONITOR_NOT_RUNNING: refused(
    (d) => `nobody monitors ${d.deployment}`,
    'Start the monitor first.',
    (d) => `tyk-dr monitor ${d.deployment}`,
  ),
} as const satisfies Record<string, ErrorEntry>;
