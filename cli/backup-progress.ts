import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { readable } from '../adapters/temporal/readable.ts';
import { formatDuration } from '../domain/duration.ts';
import type { StepResult } from '../domain/run.ts';

/** What a workflow has done so far, from its history: it needs no worker to answer, and ends with the workflow. */

export interface CallProgress {
  readonly step: string;
  readonly queue: string;
  readonly ended?: { readonly durationMs: number; readonly summary: string };
}

/** Every call of an activity, in the order in which they were asked for. */
export async function callsOf(handle: WorkflowHandle): Promise<CallProgress[]> {
  const { events } = await readable(handle.client.options.loadedDataConverter, await handle.fetchHistory());
  const calls = new Map<string, CallProgress & { readonly begunMs: number }>();
  for (const event of events ?? []) {
    const at = toMs(event.eventTime);
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled)
      calls.set(String(event.eventId), {
        step: scheduled.activityType?.name ?? 'an activity',
        queue: scheduled.taskQueue?.name ?? '',
        begunMs: at,
      });
    const completed = event.activityTaskCompletedEventAttributes;
    const call = calls.get(String(completed?.scheduledEventId));
    const [payload] = completed?.result?.payloads ?? [];
    if (call && payload) {
      const { summary } = defaultPayloadConverter.fromPayload<StepResult>(payload);
      calls.set(String(completed!.scheduledEventId), {
        ...call,
        ended: { durationMs: at - call.begunMs, summary },
      });
    }
  }
  return [...calls.values()];
}

export function callLine({ step, ended }: CallProgress): string {
  return `  + ${step.padEnd(18)} ${formatDuration(ended!.durationMs).padStart(9)}  ${ended!.summary}`;
}

function toMs(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(String(time?.seconds ?? 0)) * 1_000 + (time?.nanos ?? 0) / 1e6;
}
