import { CancellationScope } from '@temporalio/workflow';
import type { Step } from '../domain/step.ts';
import { CallFailure, callEverywhere, callThrough } from './call-step.ts';
import { keepBuilds } from './run-state.ts';
import { stepInput, type StepContext } from './step-context.ts';

/** Takes back what one step did. Every undo tolerates that nothing had happened. */

/** How long stopping and switching back may take. */
const UNDO_LIMIT_MS = 10 * 60_000;

/** @returns what was done, for people. @throws CallFailure */
export async function undoStep(context: StepContext, step: Step): Promise<string> {
  if (step.undo === undefined) return 'nothing to undo';
  const workers = context.input.plan.workers[step.where] ?? [];
  // Half an undo is worse than none: an abort does not cut it off.
  const { summary, servedBy } = await CancellationScope.nonCancellable(() =>
    undoing(step.undo!, `Undo ${step.id}`, workers, () => [stepInput(context, step.id)]),
  );
  keepBuilds(context.record, step.undo, servedBy);
  return summary;
}

/** A worker that dies over it is called again; one that does not answer a mere look has answered. */
export function undoing(
  id: string,
  purpose: string,
  workers: readonly string[],
  args: () => readonly unknown[],
  risk: Step['risk'] = 'mutate',
) {
  const step = { id, purpose, risk, limitMs: UNDO_LIMIT_MS };
  return risk === 'probe' ? callEverywhere(step, workers, args()) : callThrough(step, workers, args);
}

/** What went wrong with a call, in words. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof CallFailure ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
}
