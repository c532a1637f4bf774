import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { ERRORS } from '../domain/error-table.ts';
import { workerQueue } from '../domain/messages.ts';

/** A worker that has not begun by then is away; the next one is asked. */
const QUEUE_PATIENCE_MS = 2_000;
const ANSWER_TIMEOUT_MS = 30_000;

/**
 * Calls what any worker of a deployment can do, on the first that does it.
 *
 * @param limitMs how long the answer may take
 * @throws what the last one that answered failed with; WORKER_MISSING where none did
 */
export async function askAny<Activities, Answer>(
  workers: readonly string[],
  summary: string,
  call: (activities: Activities) => Promise<Answer>,
  limitMs = ANSWER_TIMEOUT_MS,
): Promise<Answer> {
  let last: ActivityFailure | undefined;
  for (const worker of workers) {
    try {
      return await call(
        proxyActivities({
          taskQueue: workerQueue(worker),
          scheduleToStartTimeout: QUEUE_PATIENCE_MS,
          startToCloseTimeout: limitMs,
          retry: { maximumAttempts: 1 },
          summary,
        }) as unknown as Activities,
      );
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // What a worker says of the matter is more than that another one was away.
      if (!(last?.cause instanceof ApplicationFailure)) last = error;
    }
  }
  if (last?.cause instanceof ApplicationFailure) throw last;
  const queue = workers.map(workerQueue).join(', ');
  throw ApplicationFailure.create({
    message: ERRORS.WORKER_MISSING.message({ queue }),
    type: 'WORKER_MISSING',
    nonRetryable: true,
  });
}
