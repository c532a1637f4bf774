import {
  ActivityFailure,
  ApplicationFailure,
  continueAsNew,
  proxyActivities,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import type { StepInput } from '../domain/plan.ts';
import type { StepResult } from '../domain/run.ts';

/**
 * Fences one host of a site that could not be reached when it was given up, as soon as its worker answers again, however long
 * that takes: a cut that heals must not leave two sites that write. It outlives the run that started it.
 *
 * A newer run that has taken command of the site in the meantime wins: the site may be meant to live again.
 */
export async function fence(input: StepInput, worker: string): Promise<string> {
  const { 'fence-source': fenceSource } = proxyActivities<{
    'fence-source': (input: StepInput) => Promise<StepResult>;
  }>({
    taskQueue: workerQueue(worker),
    startToCloseTimeout: '5m',
    heartbeatTimeout: '6s',
    // A task that a silent worker took is given out again until one does it.
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    summary: `Fence ${input.plan.from} as soon as it can be reached`,
  });
  for (;;) {
    try {
      return (await fenceSource({ ...input, notAfter: NEVER_TOO_LATE })).summary;
    } catch (error) {
      if (isSuperseded(error)) return `${input.plan.from} is in the hands of a newer run`;
      if (!(error instanceof ActivityFailure)) throw error;
    }
    await sleep(TRY_AGAIN_MS);
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof fence>(input, worker);
  }
}

/** The one task that must still be done by a worker that comes back late. */
const NEVER_TOO_LATE = '9999-12-31T23:59:59.999Z';
/** Something on the site keeps its services from stopping, or its worker has another configuration. */
const TRY_AGAIN_MS = 30_000;

function isSuperseded(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === 'SUPERSEDED'
  );
}
