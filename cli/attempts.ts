import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { readable } from '../adapters/temporal/readable.ts';
import type { StepResult } from '../domain/run.ts';
import type { LogEntry } from '../report/log.ts';
import type { Door } from './client.ts';
import { soon } from './run-record.ts';
import { milliseconds } from '../adapters/temporal/time.ts';

/** Every attempt of every activity of a run, as Temporal's history and its list of what is under way tell them. */

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

interface Scheduled {
  readonly step: string;
  readonly queue: string;
  readonly atMs: number;
  started?: { readonly atMs: number; readonly worker: string; readonly attempt: number };
}

export async function attemptsOf(door: Door, handle: WorkflowHandle): Promise<LogEntry[]> {
  const converter = door.client.options.loadedDataConverter;
  const [history, raw] = await Promise.all([
    soon(door, () => handle.fetchHistory()).then((told) => readable(converter, told)),
    soon(door, () => handle.describe()).then((told) => readable(converter, told.raw)),
  ]);
  const entries = (history.events ?? []).flatMap(reader());
  const pending = (raw.pendingActivities ?? []).map((activity): LogEntry => {
    const startedMs = milliseconds(activity.lastStartedTime);
    const atMs = startedMs ?? milliseconds(activity.scheduledTime) ?? Date.now();
    const attempt = activity.attempt ?? 1;
    const failed = activity.lastFailure?.message;
    const begun = startedMs !== undefined ? 'is under way' : 'waits for a worker';
    return {
      ...{ at: iso(atMs), kind: 'attempt', step: activity.activityType?.name ?? 'an activity' },
      text: failed ? `${begun}; the attempt before: ${failed}` : begun,
      attempt,
      ...(activity.lastWorkerIdentity ? { worker: activity.lastWorkerIdentity } : {}),
      ...(activity.activityOptions?.taskQueue?.name
        ? { queue: activity.activityOptions.taskQueue.name }
        : {}),
    };
  });
  return [...entries, ...pending];
}

/** Reads events in their order: what ended names what was scheduled by its number. */
function reader(): (event: HistoryEvent) => LogEntry[] {
  const scheduled = new Map<string, Scheduled>();
  return (event) => {
    const atMs = milliseconds(event.eventTime) ?? 0;
    const begun = event.activityTaskScheduledEventAttributes;
    if (begun) {
      const step = begun.activityType?.name ?? 'an activity';
      scheduled.set(String(event.eventId), { step, queue: begun.taskQueue?.name ?? '', atMs });
      return [];
    }
    const started = event.activityTaskStartedEventAttributes;
    if (started) {
      const own = scheduled.get(String(started.scheduledEventId));
      if (!own) return [];
      own.started = { atMs, worker: started.identity ?? '', attempt: started.attempt ?? 1 };
      // Attempts that failed and were tried again leave only this trace.
      const before = started.lastFailure;
      return before ? [entry(own, atMs, `is tried again after: ${before.message ?? ''}`)] : [];
    }
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed)
      return ended(
        scheduled.get(String(completed.scheduledEventId)),
        atMs,
        summaryOf(completed.result?.payloads),
      );
    const failed = event.activityTaskFailedEventAttributes;
    if (failed) {
      const own = scheduled.get(String(failed.scheduledEventId));
      const { message, applicationFailureInfo } = failed.failure ?? {};
      return ended(own, atMs, 'failed', {
        code: applicationFailureInfo?.type || 'BUG',
        message: message ?? '',
      });
    }
    const timedOut = event.activityTaskTimedOutEventAttributes;
    if (timedOut) {
      const own = scheduled.get(String(timedOut.scheduledEventId));
      return ended(
        own,
        atMs,
        own?.started ? 'was lost: its worker fell silent' : 'was not taken by any worker',
      );
    }
    const canceled = event.activityTaskCanceledEventAttributes;
    return canceled ? ended(scheduled.get(String(canceled.scheduledEventId)), atMs, 'was cancelled') : [];
  };
}

function ended(
  own: Scheduled | undefined,
  atMs: number,
  text: string,
  error?: LogEntry['error'],
): LogEntry[] {
  if (!own) return [];
  return [
    {
      ...entry(own, atMs, text),
      durationMs: atMs - (own.started?.atMs ?? own.atMs),
      ...(error && { error }),
    },
  ];
}

function entry({ step, queue, started }: Scheduled, atMs: number, text: string): LogEntry {
  return {
    ...{ at: iso(atMs), kind: 'attempt', step, text, queue },
    ...(started === undefined ? {} : { worker: started.worker, attempt: started.attempt }),
  };
}

/** What a step says of itself; what other activities return is not for people. */
function summaryOf(payloads: Payload[] | null | undefined): string {
  const [payload] = payloads ?? [];
  const result = payload
    ? defaultPayloadConverter.fromPayload<Partial<StepResult> | null>(payload)
    : undefined;
  return typeof result?.summary === 'string' ? `done: ${result.summary}` : 'done';
}

const iso = (ms: number): string => new Date(ms).toISOString();
