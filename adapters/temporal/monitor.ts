import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import { monitorId, type MonitorSummary } from '../../domain/monitor.ts';
import { milliseconds } from './time.ts';

/** What Temporal knows of a monitor without asking any worker: its own notes, and whom it hears. */

export interface MonitorSeen {
  readonly isRunning: boolean;
  /** Undefined before its first look. */
  readonly summary?: MonitorSummary;
  /** By observer, when it beat last, Unix milliseconds: it beats every second while it looks. */
  readonly heardMs: ReadonlyMap<string, number>;
}

/** Undefined where Temporal does not answer within the limit. Never throws. */
export async function lookAtMonitor(
  client: Client,
  deployment: string,
  limitMs: number,
): Promise<MonitorSeen | undefined> {
  try {
    const found = await client.withDeadline(Date.now() + limitMs, () =>
      client.workflow.getHandle(monitorId(deployment)).describe(),
    );
    if (found.status.name !== 'RUNNING') return NOT_RUNNING;
    const summary = notesOf(found);
    return { isRunning: true, heardMs: heard(found), ...(summary && { summary }) };
  } catch (error) {
    return error instanceof WorkflowNotFoundError ? NOT_RUNNING : undefined;
  }
}

const NOT_RUNNING: MonitorSeen = { isRunning: false, heardMs: new Map() };

/** What it has left for the moment in which nobody can be asked. */
export function notesOf({ memo }: WorkflowExecutionDescription): MonitorSummary | undefined {
  const notes = memo?.['monitor'] as Partial<MonitorSummary> | undefined;
  return Array.isArray(notes?.observers) && Array.isArray(notes.heals)
    ? (notes as MonitorSummary)
    : undefined;
}

function heard({ raw }: WorkflowExecutionDescription): Map<string, number> {
  const beats = (raw.pendingActivities ?? []).flatMap(
    ({ activityType, activityOptions, lastHeartbeatTime }) => {
      const queue = activityOptions?.taskQueue?.name;
      const atMs = milliseconds(lastHeartbeatTime);
      return activityType?.name === 'observe-site' && typeof queue === 'string' && atMs !== undefined
        ? [[queue.slice(WORKFLOW_QUEUE.length + 1), atMs] as const]
        : [];
    },
  );
  return new Map(beats);
}
