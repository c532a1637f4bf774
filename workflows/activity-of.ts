import { proxyActivities } from '@temporalio/workflow';
import type { StepResult } from '../domain/run.ts';
import type { Step } from '../domain/step.ts';

/** Makes the stub of a step's activity, with the options of its risk class. */

/** A task that no worker took: its worker is away. Long enough for a busy one. */
export const SCHEDULE_TO_START_MS = 10_000;
/** Workers beat every second; five missed beats and some more mean a dead one. */
const HEARTBEAT_TIMEOUT_MS = 6_000;

export function activityOf(
  step: Pick<Step, 'id' | 'risk' | 'limitMs' | 'purpose'>,
  taskQueue: string,
): (...args: unknown[]) => Promise<StepResult> {
  const stubs = proxyActivities<Record<string, (...args: unknown[]) => Promise<StepResult>>>({
    taskQueue,
    startToCloseTimeout: step.limitMs,
    scheduleToStartTimeout: SCHEDULE_TO_START_MS,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    summary: step.purpose.slice(0, 200),
    retry: {
      initialInterval: 300,
      backoffCoefficient: 2,
      maximumInterval: 5_000,
      maximumAttempts: step.risk === 'probe' ? 5 : 3,
      // The outcome of a mutating step that timed out is unknown: look first, then decide. Never blindly again.
      ...(step.risk === 'mutate'
        ? { nonRetryableErrorTypes: ['TemporalTimeout:StartToClose', 'TemporalTimeout:Heartbeat'] }
        : {}),
    },
  });
  return stubs[step.id]!;
}
