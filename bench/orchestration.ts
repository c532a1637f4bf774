import type { WorkflowHandle } from '@temporalio/client';

/**
 * What the orchestration itself adds to a run, from the workflow's history: the time during which no activity was
 * executing. That is every wait of a task for its worker, and every turn of the workflow, unless some activity was
 * at work meanwhile, as then nobody waited for it.
 */

export interface Orchestration {
  /** From the start of the workflow to its end. */
  readonly runMs: number;
  /** The part of it during which no activity was executing. */
  readonly addedMs: number;
  /** From scheduled to started, of all activities, hidden or not. */
  readonly dispatchMs: number;
  readonly activities: number;
}

type Events = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>;
export type HistoryEvent = Events[number];

/** Pure. @param events the whole history of a run that has ended. */
export function orchestrationOf(events: readonly HistoryEvent[]): Orchestration {
  const byId = new Map(events.map((event) => [String(event.eventId), event]));
  const timeOf = (id: unknown): number => timeMs(byId.get(String(id))!);
  const busy: [from: number, to: number][] = [];
  let dispatchMs = 0;
  for (const event of events) {
    const ended =
      event.activityTaskCompletedEventAttributes ??
      event.activityTaskFailedEventAttributes ??
      event.activityTaskTimedOutEventAttributes ??
      event.activityTaskCanceledEventAttributes;
    if (!ended || !byId.has(String(ended.startedEventId))) continue;
    dispatchMs += timeOf(ended.startedEventId) - timeOf(ended.scheduledEventId);
    busy.push([timeOf(ended.startedEventId), timeMs(event)]);
  }
  const runMs = timeMs(events.at(-1)!) - timeMs(events[0]!);
  return { runMs, addedMs: runMs - unionMs(busy), dispatchMs, activities: busy.length };
}

/** How long at least one of the intervals was open. */
function unionMs(intervals: readonly (readonly [from: number, to: number])[]): number {
  let total = 0;
  let covered = -Infinity;
  for (const [from, to] of [...intervals].sort(([a], [b]) => a - b)) {
    total += Math.max(0, to - Math.max(from, covered));
    covered = Math.max(covered, to);
  }
  return total;
}

function timeMs({ eventTime }: HistoryEvent): number {
  return Number(eventTime!.seconds) * 1000 + (eventTime!.nanos ?? 0) / 1e6;
}
