import { proxyActivities } from '@temporalio/workflow';
import { workerQueue } from '../domain/messages.ts';
import type { ForecastAnswer, RecoverPlan } from '../domain/plan.ts';

/** A commander who waits for a number is a commander who does not start. */
const FORECAST_TIMEOUT_MS = 4_000;

/** Outside the lock: what the recovery would take and from which set, before anybody has decided to start it. */
export async function forecast(plan: RecoverPlan): Promise<ForecastAnswer> {
  const { 'forecast-recovery': answer } = proxyActivities<{
    'forecast-recovery': (plan: RecoverPlan) => Promise<ForecastAnswer>;
  }>({
    taskQueue: workerQueue(plan.workers.lead[0]!),
    scheduleToCloseTimeout: FORECAST_TIMEOUT_MS,
    retry: { maximumAttempts: 1 },
    summary: 'Forecast from the sizes of the newest set and measured rates',
  });
  return answer(plan);
}
