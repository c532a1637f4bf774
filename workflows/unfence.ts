import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { ERRORS, type ErrorCode } from '../domain/error-table.ts';
import { workerQueue } from '../domain/messages.ts';
import type { UnfenceInput } from '../domain/plan.ts';

/**
 * Lets a site that was given up start again. Under the lock of its deployment, so that no recovery runs meanwhile;
 * refused while another site writes, or while nobody can say whether it does.
 */
export async function unfence(input: UnfenceInput): Promise<string> {
  for (const { site, workers } of input.others) {
    for (const worker of workers) {
      const running = await look(input, site, worker);
      if (running.length > 0)
        throw refusal('OTHER_SITE_SERVES', { other: site, services: running.join(', ') });
    }
  }
  const answers = await Promise.all(input.workers.map((worker) => on(worker)['lower-fence'](input)));
  return answers.join('; ');
}

async function look(input: UnfenceInput, site: string, worker: string): Promise<string[]> {
  try {
    return await on(worker)['look-at-writers'](input.deployment, site);
  } catch (error) {
    const away = error instanceof ActivityFailure && !(error.cause instanceof ApplicationFailure);
    if (away && input.othersAreDown) return [];
    if (away) throw refusal('WORKER_MISSING', { queue: workerQueue(worker), worker });
    throw error;
  }
}

function on(worker: string) {
  return proxyActivities<{
    'look-at-writers': (deployment: string, site: string) => Promise<string[]>;
    'lower-fence': (input: UnfenceInput) => Promise<string>;
  }>({
    taskQueue: workerQueue(worker),
    scheduleToCloseTimeout: '10s',
    retry: { maximumAttempts: 1 },
  });
}

function refusal(code: ErrorCode, details: Record<string, string>): ApplicationFailure {
  return ApplicationFailure.nonRetryable(ERRORS[code].message(details), code);
}
