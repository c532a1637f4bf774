import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { verifiedPoint } from '../domain/clock.ts';
import type { StopTargetResult } from '../domain/plan.ts';
import type { Step } from '../domain/step.ts';
import { hasEnded, type Outcome, type RunRecord, type StepState } from '../domain/run.ts';
import { keepBuilds, stepRecord } from './run-state.ts';
import { Abort, isAutomatic, Refusal, stepError, stepInput, type StepContext } from './step-context.ts';
import { reasonOf, undoing, undoStep } from './undo-step.ts';

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
  if (isServed(record)) {
    record.exceptions.push(`close-out was given up by ${actor} (${reason}); left to do: ${leftToDo(record)}`);
    return 'RECOVERED_WITH_EXCEPTIONS';
  }
  record.error =
    abort?.kind === 'divert'
      ? stepError('DIVERTED', { actor, reason, run: record.otherwise!.run })
      : stepError('ABORTED', { actor, reason });
  const failures = await CancellationScope.nonCancellable(() => stopAndUndo(context));
  record.exceptions.push(...failures);
  tellOfSource(record);
  if (failures.length > 0) return 'STUCK';
  return isAutomatic(actor) ? 'FAILED_UNDONE' : 'ABORTED';
}

/** Clients reach the target: proven, or switched to with the proof skipped by a person. */
function isServed(record: RunRecord): boolean {
  return verifiedPoint(record.clock) !== undefined || stateOf(record, 'prove-traffic') === 'skipped';
}

/** Not every runbook has every step. */
const stateOf = (record: RunRecord, id: string): StepState | undefined =>
  record.steps.find((step) => step.id === id)?.state;

/** The site that was given up does not come back by itself: whoever reads the report must know. */
function tellOfSource(record: RunRecord): void {
  if (stateOf(record, 'fence-source') !== 'done' || isUndone(record, 'fence-source')) return;
  addStates(record, {
    [`site ${record.from}`]: `fenced, services stopped; tyk-dr unfence ${record.deployment} ${record.from} lets it start again`,
  });
}

const isUndone = ({ componentStates }: RunRecord, id: string): boolean =>
  componentStates?.[`effect of ${id}`]?.startsWith('undone') ?? false;

/** Clients are served. What is left is housekeeping: no reason to stop a site that has just been recovered. */
function leftToDo(record: RunRecord): string {
  return record.steps
    .filter((step) => step.id !== 'write-record' && !hasEnded(step))
    .map(({ id }) => id)
    .join(', ');
}

/** What lets the source be written to again. */
const GIVES_BACK: readonly string[] = ['drain-source', 'stop-writes', 'fence-source', 'take-command'];

const isServedFrom = ({ begun }: StepContext): boolean => begun.some(({ id }) => id === 'switch-traffic');

/** Tries all of it, whatever fails. @returns a sentence for each part that failed. */
async function stopAndUndo(context: StepContext): Promise<string[]> {
  const { record } = context;
  const failures = await stopTarget(context);
  for (const step of [...context.begun].reverse()) {
    if (step.undo === undefined) continue;
    const what = `effect of ${step.id}`;
    if (isServedFrom(context) && GIVES_BACK.includes(step.id)) {
      addStates(record, { [what]: `in place: clients may have written to ${record.to} since` });
      continue;
    }
    // Data are never switched back below a server that may still run.
    if (failures.some((failure) => failure.startsWith(NOT_STOPPED))) {
      addStates(record, { [what]: 'in place, not undone: the target could not be stopped' });
      continue;
    }
    try {
      const undone = await undoStep(context, step);
      stepRecord(record, step.id).summary = `undone: ${undone}`;
      addStates(record, { [what]: `undone: ${undone}` });
    } catch (error) {
      failures.push(`the undo failed: ${reasonOf(error)} (${step.id})`);
      addStates(record, { [what]: `NOT undone: ${reasonOf(error)}` });
    }
  }
  return failures;
}

const NOT_STOPPED = 'the target could not be stopped';

async function stopTarget(context: StepContext): Promise<string[]> {
  // What was begun at the source only is no reason to stop anything of the target; least of all one that all clients were
  // sent to.
  const isOfTarget = ({ id, where }: Step): boolean =>
    where !== 'source' && where !== 'live' && id !== 'drain-source';
  if (!context.begun.some(isOfTarget)) return [];
  const { workers } = context.input.plan;
  const purpose = 'Stop what this run started on the target';
  try {
    const stopped = await undoing('stop-target', purpose, workers.target, () => [
      stepInput(context, 'stop-target'),
    ]);
    keepBuilds(context.record, 'stop-target', stopped.servedBy);
    addStates(context.record, (stopped as StopTargetResult).states);
    return [];
  } catch (error) {
    await lookAtTarget(context);
    return [`${NOT_STOPPED}: ${reasonOf(error)}`];
  }
}

/** What could not be brought to a stop is looked at, worker by worker: whoever comes now must know what runs. */
async function lookAtTarget(context: StepContext): Promise<void> {
  const id = 'look-at-target';
  for (const worker of context.input.plan.workers.target) {
    try {
      const seen = await undoing(
        id,
        'See what still runs on the target',
        [worker],
        () => [stepInput(context, id)],
        'probe',
      );
      addStates(context.record, (seen as StopTargetResult).states);
    } catch (error) {
      addStates(context.record, { [`what ${worker} serves`]: `unknown: ${reasonOf(error)}` });
    }
  }
}

function addStates(record: RunRecord, states: Readonly<Record<string, string>>): void {
  record.componentStates = { ...record.componentStates, ...states };
}
