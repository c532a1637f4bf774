import { ScheduleNotFoundError, type Client } from '@temporalio/client';
import { scheduleId } from '../../domain/schedules.ts';
import type { StandbySeen, Watched } from '../../domain/watched.ts';

/** What the scheduled `watch` has seen when it looked last: whoever shows it waits for no worker. */
export interface LastWatch {
  readonly atMs: number;
  readonly watched: Watched;
}

/** One is under way while it is asked for: then the one before has a result. */
const LAST = 2;

/** Undefined where none has ended of late. @throws whatever Temporal's client throws */
export async function lastWatch(
  client: Client,
  deployment: string,
  limitMs: number,
): Promise<LastWatch | undefined> {
  const soon = <T>(call: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + limitMs, call);
  const { info } = await soon(() => client.schedule.getHandle(scheduleId(deployment, 'watch')).describe());
  for (const { action, takenAt } of info.recentActions.slice(-LAST).reverse()) {
    if (action.type !== 'startWorkflow') continue;
    const { workflowId, firstExecutionRunId } = action.workflow;
    const handle = client.workflow.getHandle(workflowId, firstExecutionRunId);
    if ((await soon(() => handle.describe())).status.name !== 'COMPLETED') continue;
    return { atMs: takenAt.getTime(), watched: (await soon(() => handle.result())) as Watched };
  }
  return undefined;
}

/** The same for a page that is written with what there is. Never throws. */
export async function standbySeen(client: Client, deployment: string, limitMs: number): Promise<StandbySeen> {
  try {
    const last = await lastWatch(client, deployment, limitMs);
    if (!last?.watched.replication) return { why: 'the schedule watch has not looked of late' };
    const { replication, drift = [] } = last.watched;
    return { at: new Date(last.atMs).toISOString(), findings: [...replication, ...drift] };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return { why: 'there is no schedule watch' };
    return { why: `Temporal does not answer: ${error instanceof Error ? error.message : String(error)}` };
  }
}
