import { notesOf } from '../adapters/temporal/monitor.ts';
import { MONITOR_QUERY, monitorId, type MonitorSummary } from '../domain/monitor.ts';
import type { Door } from './client.ts';
import { described, queried } from './run-record.ts';

/** The monitor of a deployment as it stands in Temporal. */

export interface FoundMonitor {
  readonly isRunning: boolean;
  /** Undefined before its first look. */
  readonly summary: MonitorSummary | undefined;
  /** No worker answers: what is shown is what the monitor itself has noted last. */
  readonly fromNotes: boolean;
}

/** Undefined where there has never been one, or Temporal has forgotten it. */
export async function findMonitor(door: Door, deployment: string): Promise<FoundMonitor | undefined> {
  const handle = door.client.workflow.getHandle(monitorId(deployment));
  const found = await described(door, handle);
  if (!found) return undefined;
  const isRunning = found.status.name === 'RUNNING';
  const noted = notesOf(found);
  if (!isRunning) return { isRunning, summary: noted, fromNotes: true };
  const asked = await queried<MonitorSummary>(door, handle, MONITOR_QUERY);
  return { isRunning, summary: asked ?? noted, fromNotes: asked === undefined };
}
