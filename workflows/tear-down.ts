import type { MadeResult } from '../activities/drill-target.ts';
import type { StopTargetResult } from '../domain/plan.ts';
import { keepBuilds, stepRecord } from './run-state.ts';
import { stepInput, type StepContext } from './step-context.ts';
import { reasonOf, undoing, undoStep } from './undo-step.ts';

/** A drill leaves nothing behind: what it started is stopped, what it switched in is taken back. */

/**
 * Tries all of it, whatever fails, and may be called again. The mark stays until the leaks have been looked for.
 *
 * @returns a sentence for each part that failed.
 */
export async function tearDown(context: StepContext): Promise<string[]> {
  const failures = await stopTarget(context);
  // Data are never switched back below a server that may still run.
  if (failures.length > 0) return failures;
  for (const step of [...context.begun].reverse()) {
    if (step.undo === undefined) continue;
    try {
      const undone = await undoStep(context, step);
      const row = stepRecord(context.record, step.id);
      row.summary = `${row.summary ?? ''}${row.summary ? '; ' : ''}torn down: ${undone}`;
    } catch (error) {
      failures.push(`the effect of ${step.id} was not taken back: ${reasonOf(error)}`);
    }
  }
  return failures;
}

/** How much is to be taken back; undefined where nobody can tell. */
export async function countMade(context: StepContext): Promise<number | undefined> {
  try {
    const { target } = context.input.plan.workers;
    const found = await undoing('list-made', 'List what the drill has made', target, () => [
      stepInput(context, 'list-made'),
    ]);
    return (found as MadeResult).made.length;
  } catch {
    return undefined;
  }
}

/** Once everything is taken back: an empty folder may be old data that wait for their undo. @returns why it failed, if it did. */
export function tidyTarget(context: StepContext): Promise<string[]> {
  return release(context, 'tidy-target', 'Remove what the drill kept for itself');
}

/** The last of all. @returns why it failed, if it did. */
export function unmarkTarget(context: StepContext): Promise<string[]> {
  return release(context, 'unmark-target', 'Remove the mark of the drill');
}

export async function stopTarget(context: StepContext): Promise<string[]> {
  const { workers } = context.input.plan;
  try {
    const stopped = await undoing('stop-target', 'Stop what the drill started', workers.target, () => [
      stepInput(context, 'stop-target'),
    ]);
    keepBuilds(context.record, 'stop-target', stopped.servedBy);
    const running = Object.entries((stopped as StopTargetResult).states).filter(
      ([, state]) => state !== 'stopped',
    );
    return running.map(([service, state]) => `${service} of the drill is ${state}`);
  } catch (error) {
    return [`the drill’s site could not be stopped: ${reasonOf(error)}`];
  }
}

async function release(context: StepContext, activity: string, purpose: string): Promise<string[]> {
  try {
    await undoing(activity, purpose, context.input.plan.workers.target, () => [stepInput(context, activity)]);
    return [];
  } catch (error) {
    return [`${activity} failed: ${reasonOf(error)}`];
  }
}
