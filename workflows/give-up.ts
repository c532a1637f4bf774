import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { verifiedPoint } from '../domain/clock.ts';
import type { StopTargetResult } from '../domain/plan.ts';
import type { Outcome, RunRecord } from '../domain/run.ts';
import { CallFailure, callThrough } from './call-step.ts';
import { stepRecord } from './run-state.ts';
import { stepInput } from './run-step.ts';
import { Abort, Refusal, stepError, type StepContext } from './step-context.ts';

/** What happens when the story of a recovery does not come to its end. */

/** Brings the target to a stop, unserved, and says in which state it is. Never touches the traffic. */
export async function giveUp(context: StepContext, cause: unknown): Promise<Outcome> {
  const { record } = context;
  if (cause instanceof Refusal) {
    record.error = cause.error;
    return 'REFUSED';
  }
  const abort = cause instanceof Abort ? cause.by : context.abort;
  if (!abort && !isCancellation(cause)) throw cause;
  const { actor, reason } = abort ?? { actor: 'Temporal', reason: 'cancelled' };
  if (verifiedPoint(record.clock)) {
    record.exceptions.push(`close-out was given up by ${actor} (${reason}); left to do: ${leftToDo(record)}`);
    return 'RECOVERED_WITH_EXCEPTIONS';
  }
  record.error = stepError('ABORTED', { actor, reason });
  const failures = await CancellationScope.nonCancellable(() => stopAndUndo(context));
  record.exceptions.push(...failures);
  tellOfSource(record);
  if (failures.length > 0) return 'STUCK';
  return actor === '--on-failure abort' ? 'FAILED_UNDONE' : 'ABORTED';
}

/** The site that was given up does not come back by itself: whoever reads the report must know. */
function tellOfSource(record: RunRecord): void {
  const { state } = stepRecord(record, 'fence-source');
  if (state !== 'done') return;
  record.componentStates = {
    ...record.componentStates,
    [`site ${record.from}`]: `fenced, services stopped; tyk-dr unfence ${record.deployment} ${record.from} lets it start again`,
  };
}

/** Clients are served. What is left is housekeeping: no reason to stop a site that has just been recovered. */
function leftToDo(record: RunRecord): string {
  return record.steps
    .filter(({ id, state }) => id !== 'write-record' && (state === 'pending' || state === 'failed'))
    .map(({ id }) => id)
    .join(', ');
}

/** How long stopping and switching back may take. */
const UNDO_LIMIT_MS = 10 * 60_000;

/** Tries all of it, whatever fails. @returns a sentence for each part that failed. */
async function stopAndUndo(context: StepContext): Promise<string[]> {
  const { record, input } = context;
  const failures: string[] = [];
  if (context.begun.some((step) => step.where !== 'source')) {
    const purpose = 'Stop what this run started on the target';
    try {
      const stopped = (await undoing('stop-target', purpose, input.plan.workers.target, () => [
        stepInput(context, 'stop-target'),
      ])) as StopTargetResult;
      record.componentStates = { ...stopped.states };
    } catch (error) {
      failures.push(`the target could not be stopped: ${reasonOf(error)}`);
    }
  }
  // Data are never switched back below a server that may still run.
  if (failures.length > 0) return failures;
  for (const step of [...context.begun].reverse()) {
    if (step.undo === undefined) continue;
    try {
      const undone = await undoing(step.undo, `Undo ${step.id}`, input.plan.workers[step.where], () => [
        stepInput(context, step.id),
      ]);
      stepRecord(record, step.id).summary = `undone: ${undone.summary}`;
    } catch (error) {
      failures.push(`the undo failed: ${reasonOf(error)} (${step.id})`);
    }
  }
  return failures;
}

function undoing(id: string, purpose: string, workers: readonly string[], args: () => readonly unknown[]) {
  return callThrough({ id, purpose, risk: 'mutate', limitMs: UNDO_LIMIT_MS }, workers, args);
}

function reasonOf(error: unknown): string {
  const cause = error instanceof CallFailure ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message : cause.message;
}
