import { proxyActivities } from '@temporalio/workflow';
import type { PingResult } from '../activities/ping.ts';
import { workerQueue } from '../domain/messages.ts';

/** How long a ping may take before the worker counts as away: the CLI must answer within ten seconds. */
const PING_TIMEOUT_MS = 3_500;

/** Asks one worker whether it lives and what it was built and configured from. */
export function ping(worker: string, deployment: string): Promise<PingResult> {
  return askWorker(worker, deployment);
}

export function askWorker(worker: string, deployment: string, summary?: string): Promise<PingResult> {
  const { 'answer-ping': answer } = proxyActivities<{
    'answer-ping': (deployment: string) => Promise<PingResult>;
  }>({
    taskQueue: workerQueue(worker),
    scheduleToCloseTimeout: PING_TIMEOUT_MS,
    retry: { maximumAttempts: 1 },
    ...(summary === undefined ? {} : { summary }),
  });
  return answer(deployment);
}
