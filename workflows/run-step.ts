import { ActivityFailure, ApplicationFailure, isCancellation, startChild } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { ERRORS } from '../domain/error-table.ts';
import { fenceId, workerQueue } from '../domain/messages.ts';
import type { StepInput } from '../domain/plan.ts';
import { withReached } from '../domain/points.ts';
import {
  hasEnded,
  type FailureDetails,
  type Proof,
  type RunRecord,
  type StepRecord,
  type StepResult,
} from '../domain/run.ts';
import type { Step } from '../domain/step.ts';
import { tableOf, type StepId } from '../runbooks/tables.ts';
import { untilApproved } from './approvals.ts';
import { CallFailure, callEverywhere } from './call-step.ts';
import { enterPhase, keepBuilds, leavePhase, now, showDetails, stepRecord } from './run-state.ts';
import { giveUpIfAborted, stepInput, type StepContext } from './step-context.ts';
import { classify, settleFailure, type Failure } from './step-failure.ts';
import { plantBefore } from './plant.ts';
import { untilResumed } from './waits.ts';

/**
 * Runs one step to its end: in order, on its worker, with the retries of its risk class, and where it has failed
 * for good, with a person's decision. A mutating activity observes before it acts, so calling it again after a
 * timeout is how its outcome is found out.
 */

/** Runs the step unless it is not part of the plan; then it returns undefined. */
export async function runStep<Id extends Exclude<StepId, 'promote'>>(
  context: StepContext,
  id: Id,
  ...more: ExtraArgs<Id>
): Promise<Awaited<ReturnType<Activities[Id]>> | undefined> {
  const step = tableOf(context.input.plan).find((candidate) => candidate.id === id)!;
  const row = stepRecord(context.record, id);
  if (row.state === 'not-part') return undefined;
  requireOrder(context.record, step, row);
  giveUpIfAborted(context);
  enterPhase(context.record, step.phase);
  await untilApproved(context, id, row);
  await untilResumed(context, id);
  // Never awaited without one: a recorded recovery would be told in another order.
  if (context.input.plan.drill?.plant !== undefined) await plantBefore(context, id);
  if (step.risk === 'mutate') context.begun.push(step);
  row.startedAt = now();
  for (;;) {
    const failure = await attempt(context, step, row, more);
    if (failure === undefined) break;
    await settleFailure(context, step, row, failure);
    if (!hasEnded(row)) continue;
    if (row.error?.code === 'NOT_FENCED') await fenceLater(context);
    break;
  }
  row.endedAt = now();
  leavePhase(context.record, step.phase);
  showDetails(context.record);
  return results.get(row) as Awaited<ReturnType<Activities[Id]>> | undefined;
}

type ExtraArgs<Id extends keyof Activities> =
  Parameters<Activities[Id]> extends [StepInput, ...infer More] ? More : [];

/** Results by their row; weak, so that it holds no state beyond its run. */
const results = new WeakMap<StepRecord, StepResult>();

async function attempt(
  context: StepContext,
  step: Step<StepId>,
  row: StepRecord,
  more: readonly unknown[],
): Promise<Failure | undefined> {
  row.state = 'running';
  const workers = context.input.plan.workers[step.where] ?? [];
  row.queue = workers.map(workerQueue).join(', ');
  row.calls += 1;
  // Whoever looks must not see a worker come and go while one task after the other runs out.
  if (row.awaySince === undefined) delete row.waitsFor;
  showDetails(context.record);
  try {
    const result = await callEverywhere(step, workers, [stepInput(context, step.id), ...more]);
    isThere(row);
    results.set(row, result);
    row.state = 'done';
    row.summary = result.summary;
    delete row.error;
    keepBuilds(context.record, step.id, result.servedBy);
    keepProofs(context.record, step.id, result.proofs ?? []);
    if (result.reached) context.record.points = withReached(context.record.points ?? [], result.reached);
    if (result.exception !== undefined) context.record.exceptions.push(result.exception);
    return undefined;
  } catch (failure) {
    if (!(failure instanceof CallFailure)) throw failure;
    const { cause: error, worker } = failure;
    row.queue = workerQueue(worker);
    if (isCancellation(error)) row.state = 'failed';
    const { proofs, servedBy } = detailsOf(error);
    keepBuilds(context.record, step.id, servedBy);
    keepProofs(context.record, step.id, proofs ?? []);
    const meaning = classify(error, step);
    if (meaning === 'worker-away') row.awaySince ??= row.calls > 1 ? now() : row.startedAt!;
    else isThere(row);
    return meaning;
  }
}

/** Somebody has taken the task. */
function isThere(row: StepRecord): void {
  if (row.awaySince === undefined) return;
  delete row.awaySince;
  row.cameBackAt = now();
  delete row.waitsFor;
}

/** What a step has shown when it was called last; a retry replaces what the failure had shown. */
function keepProofs(record: RunRecord, step: string, proofs: readonly Proof[]): void {
  record.proofs = record.proofs.filter((proof) => proof.step !== step);
  for (const proof of proofs) record.proofs.push({ ...proof, step });
}

function detailsOf(error: unknown): Partial<FailureDetails> {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return {};
  const [details] = (error.cause.details ?? []) as [FailureDetails?];
  return details ?? {};
}

/** What a person has skipped or made by hand counts as ended, and the steps that need it say so. */
function requireOrder(record: RunRecord, step: Step<StepId>, row: StepRecord): void {
  const before = step.after.map((after) => stepRecord(record, after));
  const open = before.find((other) => !hasEnded(other));
  if (open) {
    throw ApplicationFailure.nonRetryable(
      ERRORS.ORDER_BROKEN.message({ step: step.id, after: open.id }),
      'ORDER_BROKEN',
    );
  }
  const leftToPeople = before.filter(({ state }) => state === 'skipped' || state === 'by-hand');
  if (leftToPeople.length > 0)
    row.reliesOn = leftToPeople.map(
      ({ id, state }) => `${id} (${state === 'skipped' ? 'skipped' : 'by hand'})`,
    );
}

/** A person's word holds until the site can be reached again: then each of its hosts is fenced after all. */
async function fenceLater(context: StepContext): Promise<void> {
  const { plan, run } = context.input;
  for (const worker of plan.workers.source) {
    await startChild('fence', {
      workflowId: fenceId(plan.deployment, run, worker),
      args: [stepInput(context, 'fence-source'), worker],
      parentClosePolicy: 'ABANDON',
      cancellationType: 'ABANDON',
      staticSummary: `Fence ${plan.from} of ${plan.deployment} as soon as ${worker} can be reached`,
      staticDetails: `Run \`${run}\` gave the site up on a person's word.`,
    });
  }
}
