import type { WorkflowExecutionDescription } from '@temporalio/client';
import { formatDuration } from '../domain/duration.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { RunRecord } from '../domain/run.ts';
import { milliseconds } from '../adapters/temporal/time.ts';

/**
 * Workers that a run waits for and that have gone missing, as Temporal itself sees it: within seconds, also while no
 * worker lives that could be asked, and before the time limits of the run say so.
 */
export interface MissingWorker {
  readonly queue: string;
  /** Steps that wait for it; none where the run itself cannot go on, for nobody takes its workflow tasks. */
  readonly steps: readonly string[];
  /** Since when nobody has taken a task, or the worker that took it has been silent. */
  readonly since: string;
  readonly text: string;
  /** The command to type on the worker's host. */
  readonly start: string;
}

/** Workers beat every second and take tasks within milliseconds: a busy machine may be late by this much. */
const SILENCE_MS = 5_000;

/** Enumerations of Temporal's API. */
const ACTIVITY_SCHEDULED = 1;
const ACTIVITY_STARTED = 2;
const TASK_SCHEDULED = 1;

type Pending = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** @param record where the run could be asked: it knows for how long one task after the other was not taken. */
export function missingWorkers(
  { raw }: WorkflowExecutionDescription,
  nowMs: number,
  record?: RunRecord,
): MissingWorker[] {
  const silent = (raw.pendingActivities ?? []).flatMap((activity) => silence(activity, record, nowMs) ?? []);
  const missing = [...new Set(silent.map(({ queue }) => queue))].map((queue): MissingWorker => {
    const own = silent.filter((each) => each.queue === queue);
    const sinceMs = Math.min(...own.map((each) => each.sinceMs));
    const steps = [...new Set(own.map(({ step }) => step))];
    const long = formatDuration(nowMs - sinceMs);
    const text = own.some(({ taken }) => taken)
      ? `the worker on the task queue ${queue} has been silent for ${long} in ${steps.join(', ')}`
      : `no worker answers on the task queue ${queue} for ${long}; ${steps.join(', ')} must wait`;
    return { queue, steps, since: new Date(sinceMs).toISOString(), text, start: startCommand(queue) };
  });
  const task = raw.pendingWorkflowTask;
  const sinceMs =
    task && Number(task.state) === TASK_SCHEDULED ? milliseconds(task.scheduledTime) : undefined;
  if (sinceMs !== undefined && nowMs - sinceMs >= SILENCE_MS)
    missing.push({
      queue: WORKFLOW_QUEUE,
      steps: [],
      since: new Date(sinceMs).toISOString(),
      text: `no worker at all answers on the task queue ${WORKFLOW_QUEUE} for ${formatDuration(nowMs - sinceMs)}; the run must wait`,
      start: 'tyk-dr worker NAME',
    });
  return missing;
}

/** Undefined where somebody has taken the task and beats, or may still take it in time. */
function silence(activity: Pending, record: RunRecord | undefined, nowMs: number) {
  const step = activity.activityType?.name ?? 'an activity';
  const queue = activity.activityOptions?.taskQueue?.name ?? 'an unknown queue';
  const taken = Number(activity.state) === ACTIVITY_STARTED;
  if (taken ? !activity.lastHeartbeatTime : Number(activity.state) !== ACTIVITY_SCHEDULED) return undefined;
  const sinceMs = milliseconds(taken ? activity.lastHeartbeatTime : activity.scheduledTime);
  const away = taken ? undefined : record?.steps.find(({ id }) => id === step)?.awaySince;
  if (away !== undefined) return { step, queue, taken, sinceMs: Date.parse(away) };
  return sinceMs === undefined || nowMs - sinceMs < SILENCE_MS ? undefined : { step, queue, taken, sinceMs };
}

/** The record without what is over: a step whose task was taken after all waits for no worker. */
export function withoutReturned(record: RunRecord, { raw }: WorkflowExecutionDescription): RunRecord {
  const taken = new Set(
    (raw.pendingActivities ?? [])
      .filter(({ state }) => Number(state) === ACTIVITY_STARTED)
      .map(({ activityType }) => activityType?.name),
  );
  const steps = record.steps.map((step) => {
    if (step.awaySince === undefined || !taken.has(step.id)) return step;
    const { awaySince: _since, waitsFor: _for, ...rest } = step;
    return rest;
  });
  return { ...record, steps };
}

/** Two lines for each: what is missed, and what to type. */
export function missingLines(missing: readonly MissingWorker[]): string[] {
  return missing.flatMap(({ text, start }) => [`  ! ${text}`, `    start it on its host: ${start}`]);
}

function startCommand(queue: string): string {
  const prefix = `${WORKFLOW_QUEUE}.`;
  return `tyk-dr worker ${queue.startsWith(prefix) ? queue.slice(prefix.length) : 'NAME'}`;
}
