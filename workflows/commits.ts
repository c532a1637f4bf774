import { proxyActivities } from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import type { CommitsInput } from '../domain/plan.ts';

/**
 * Lets commits of the site that serves wait for its standby, or not. Under the lock of its deployment: a run that makes or
 * moves a standby decides that itself.
 */
export async function commits(input: CommitsInput): Promise<string> {
  const answers = await Promise.all(input.workers.map((worker) => on(worker)['set-commits'](input)));
  return answers.flatMap((answer) => answer ?? []).join('; ') || 'no database is on these hosts';
}

function on(worker: string) {
  return proxyActivities<{ 'set-commits': (input: CommitsInput) => Promise<string | undefined> }>({
    taskQueue: workerQueue(worker),
    scheduleToCloseTimeout: '15s',
    retry: { maximumAttempts: 1 },
  });
}
