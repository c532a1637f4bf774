import { proxyActivities } from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import { SCHEDULE_TO_START_MS } from './activity-of.ts';

/** Fetching the history of years over a slow line. */
const RESOLVE_TIMEOUT_MS = 5 * 60_000;

/** Outside the lock, before a run starts: the commit that a reference means now, as the target's worker sees it. */
export async function resolveConfigRef(
  worker: string,
  deployment: string,
  site: string,
  ref: string,
): Promise<string> {
  const { 'resolve-config-ref': resolve } = proxyActivities<{
    'resolve-config-ref': (deployment: string, site: string, ref: string) => Promise<string>;
  }>({
    taskQueue: workerQueue(worker),
    startToCloseTimeout: RESOLVE_TIMEOUT_MS,
    scheduleToStartTimeout: SCHEDULE_TO_START_MS,
    retry: { maximumAttempts: 1 },
    summary: 'Find the commit of the configuration',
  });
  return resolve(deployment, site, ref);
}
