import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { ERRORS } from '../domain/error-table.ts';
import { workerQueue } from '../domain/messages.ts';
import type { RunSummary } from '../domain/run-summary.ts';
import type { RunRecord } from '../domain/run.ts';

/** A worker that has not begun by then is away; the next one is asked. */
const QUEUE_PATIENCE_MS = 2_000;
const READ_TIMEOUT_MS = 10_000;

export interface ReadRunsInput {
  readonly deployment: string;
  /** Asked in this order, until one answers. */
  readonly workers: readonly string[];
  /** One run in full; left out, all of them in short. */
  readonly run?: string;
}

export interface ReadRuns {
  readonly runs?: readonly RunSummary[];
  readonly record?: RunRecord | null;
}

/** Reads the records of runs where the repository is, for a command that cannot reach it. Outside every lock. */
export async function readRuns({ deployment, workers, run }: ReadRunsInput): Promise<ReadRuns> {
  let last: unknown;
  for (const worker of workers) {
    const { 'list-runs': list, 'read-run': read } = proxyActivities<{
      'list-runs': (deployment: string) => Promise<RunSummary[]>;
      'read-run': (deployment: string, run: string) => Promise<RunRecord | null>;
    }>({
      taskQueue: workerQueue(worker),
      scheduleToStartTimeout: QUEUE_PATIENCE_MS,
      startToCloseTimeout: READ_TIMEOUT_MS,
      retry: { maximumAttempts: 1 },
      summary: `Read the kept runs of ${deployment}`,
    });
    try {
      return run === undefined ? { runs: await list(deployment) } : { record: await read(deployment, run) };
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      last = error;
    }
  }
  const queue = workers.map(workerQueue).join(', ');
  throw ApplicationFailure.create({
    message: ERRORS.WORKER_MISSING.message({ queue }),
    type: 'WORKER_MISSING',
    nonRetryable: true,
    cause: last as Error,
  });
}
