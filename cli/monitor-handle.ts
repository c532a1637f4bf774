import { WorkflowNotFoundError } from '@temporalio/client';
import { notesOf } from '../adapters/temporal/monitor.ts';
import { MONITOR_QUERY, monitorId, type MonitorSummary } from '../domain/monitor.ts';
import type { Door } from './client.ts';
import { soon } from './run-record.ts';

/** The monitor of a deployment as it stands in Temporal. */

export interface FoundMonitor {
  readonly isRunning: boolean;
  /** Undefined before its first look. */
  readonly summary: MonitorSummary | undefined;
  /** No worker answers: what is shown is what the monitor itself has noted last. */
  readonly fromNotes: boolean;
}

const QUERY_DEADLINE_MS = 1_500;

/** Undefined where there has never been one, or Temporal has forgotten it. */
export async function findMonitor(door: Door, deployment: string): Promise<FoundMonitor | undefined> {
  const handle = door.client.workflow.getHandle(monitorId(deployment));
  const found = await soon(door, () => handle.describe()).catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  });
  if (!found) return undefined;
  const isRunning = found.status.name === 'RUNNING';
  const noted = notesOf(found);
  if (!isRunning) return { isRunning, summary: noted, fromNotes: true };
  const asked = await door.client
    .withDeadline(Date.now() + QUERY_DEADLINE_MS, () => handle.query<MonitorSummary>(MONITOR_QUERY))
    .catch(() => undefined);
  return { isRunning, summary: asked ?? noted, fromNotes: asked === undefined };
}
