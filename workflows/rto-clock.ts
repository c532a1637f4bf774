import { CancellationScope, condition, isCancellation, log } from '@temporalio/workflow';
import { clockPoint, rtoBasis } from '../domain/clock.ts';
import { formatDuration } from '../domain/duration.ts';
import type { RunRecord } from '../domain/run.ts';
import { now, publish, showDetails } from './run-state.ts';

/** Durable timers on the recovery time objective. They count from when the disaster began, not from our start. */

/** Shares of the RTO at which the run raises its voice. */
const MARKS = [0.5, 0.8, 1] as const;

/**
 * Runs the timers beside the given story and ends them with it. Marks that are already past fire at once.
 *
 * @returns what the story returns.
 */
export async function withRtoClock<T>(record: RunRecord, story: () => Promise<T>): Promise<T> {
  const scope = new CancellationScope();
  const timers = scope.run(() => Promise.all([watchObjective(record), watchPhases(record)]));
  // Nobody awaits the timers until the story has ended; without a handler their cancellation would fail the task.
  timers.catch(() => undefined);
  try {
    return await story();
  } finally {
    scope.cancel();
    await timers.catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  }
}

async function watchObjective(record: RunRecord): Promise<void> {
  const basis = rtoBasis(record.clock);
  const startedAt = clockPoint(record.clock, 'started')!.at;
  for (const mark of MARKS) {
    const dueAt = Date.parse(basis.at) + mark * record.objectives.rtoMs;
    const percent = `${mark * 100}%`;
    if (dueAt > Date.now())
      await condition(() => false, dueAt - Date.now(), { summary: `${percent} of the RTO` });
    const objective = formatDuration(record.objectives.rtoMs);
    const text =
      mark === 1 ? `RTO of ${objective} breached` : `${percent} of the RTO of ${objective} is used`;
    raise(record, dueAt > Date.parse(startedAt) ? text : `${text} (already before the start)`);
    publish(record, { rto: mark === 1 ? 'breached' : percent });
  }
}

async function watchPhases(record: RunRecord): Promise<void> {
  await Promise.all(
    record.phases.map(async (phase) => {
      await condition(() => phase.startedAt !== undefined);
      const inTime = await condition(() => phase.endedAt !== undefined, phase.budgetMs, {
        summary: `budget of phase ${phase.phase}`,
      });
      if (inTime) return;
      phase.overranAt = now();
      raise(record, `phase ${phase.phase} overran its budget of ${formatDuration(phase.budgetMs)}`);
    }),
  );
}

function raise(record: RunRecord, text: string): void {
  record.alarms.push({ at: now(), text });
  log.warn(text, { run: record.run });
  showDetails(record);
}
