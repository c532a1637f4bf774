import { ActivityFailure, proxyActivities, TimeoutFailure } from '@temporalio/workflow';
import type { StepInput } from '../../domain/plan.ts';
import type { StepResult } from '../../domain/run.ts';

/** Calls one step as a runbook does: its first task and, where its worker falls silent, once more. */
export async function callStep(queue: string, input: StepInput): Promise<StepResult> {
  const steps = proxyActivities<Record<string, (input: StepInput) => Promise<StepResult>>>({
    taskQueue: queue,
    startToCloseTimeout: 60_000,
    scheduleToStartTimeout: 10_000,
    heartbeatTimeout: 3_000,
    retry: {
      initialInterval: 100,
      maximumAttempts: 3,
      nonRetryableErrorTypes: ['TemporalTimeout:Heartbeat'],
    },
  });
  const step = steps[input.step]!;
  try {
    return await step(input);
  } catch (error) {
    if (!(error instanceof ActivityFailure) || !(error.cause instanceof TimeoutFailure)) throw error;
    return step(input);
  }
}
