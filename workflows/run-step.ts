import { ActivityFailure, ApplicationFailure, isCancellation, startChild } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { rtoBasis } from '../domain/clock.ts';
import { ERRORS } from '../domain/error-table.ts';
import { fenceId, workerQueue } from '../domain/messages.ts';
import type { StepInput } from '../domain/plan.ts';
import type { FailureDetails, Proof, RunRecord, StepRecord, StepResult } from '../domain/run.ts';
import type { Step } from '../domain/step.ts';
import { RECOVER_STEPS, type RecoverStepId } from '../runbooks/recover.ts';
import { SCHEDULE_TO_START_MS } from './activity-of.ts';
import { CallFailure, callEverywhere } from './call-step.ts';
import { enterPhase, leavePhase, now, showDetails, stepRecord } from './run-state.ts';
import { giveUpIfAborted, type StepContext } from './step-context.ts';
import { classify, settleFailure, type Failure } from './step-failure.ts';

/**
 * Runs one step to its end: in order, on its worker, with the retries of its risk class, and where it has failed
 * for good, with a person's decision. A mutating activity observes before it acts, so calling it again after a
 * timeout is how its outcome is found out.
 */

/** The activity refuses a task that waited longer than its queue time, with a margin for the clocks. */
const NOT_AFTER_MARGIN_MS = 5_000;

/** Runs the step unless it is not part of the plan; then it returns undefined. */
export async function runStep<Id extends RecoverStepId>(
  context: StepContext,
  id: Id,
  ...more: ExtraArgs<Id>
): Promise<Awaited<ReturnType<Activities[Id]>> | undefined> {
  const step: Step<RecoverStepId> = RECOVER_STEPS.find((candidate) => candidate.id === id)!;
  const row = stepRecord(context.record, id);
  if (row.state === 'not-part') return undefined;
  requireOrder(context.record, step);
  giveUpIfAborted(context);
  enterPhase(context.record, step.phase);
  if (step.risk === 'mutate') context.begun.push(step);
  row.startedAt = now();
  for (;;) {
    const failure = await attempt(context, step, row, more);
    if (failure === undefined) break;
    await settleFailure(context, step, row, failure);
    if (row.state !== 'done') continue;
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
  step: Step<RecoverStepId>,
  row: StepRecord,
  more: readonly unknown[],
): Promise<Failure | undefined> {
  row.state = 'running';
  const workers = context.input.plan.workers[step.where];
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
    keepProofs(context.record, step.id, result.proofs ?? []);
    if (result.exception !== undefined) context.record.exceptions.push(result.exception);
    return undefined;
  } catch (failure) {
    if (!(failure instanceof CallFailure)) throw failure;
    const { cause: error, worker } = failure;
    row.queue = workerQueue(worker);
    if (isCancellation(error)) row.state = 'failed';
    keepProofs(context.record, step.id, failedProofs(error));
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

function failedProofs(error: unknown): readonly Proof[] {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return [];
  const [details] = (error.cause.details ?? []) as [FailureDetails?];
  return details?.proofs ?? [];
}

export function stepInput(context: StepContext, step: string): StepInput {
  return {
    run: context.input.run,
    step,
    plan: context.input.plan,
    configDigest: context.input.configDigest,
    epoch: context.epoch,
    basisAt: rtoBasis(context.record.clock).at,
    notAfter: new Date(Date.now() + SCHEDULE_TO_START_MS + NOT_AFTER_MARGIN_MS).toISOString(),
    ...(context.set === undefined ? {} : { set: context.set }),
  };
}

function requireOrder(record: RunRecord, step: Step<RecoverStepId>): void {
  for (const after of step.after) {
    const { state } = stepRecord(record, after);
    if (state !== 'done' && state !== 'not-part') {
      throw ApplicationFailure.nonRetryable(
        ERRORS.ORDER_BROKEN.message({ step: step.id, after }),
        'ORDER_BROKEN',
      );
    }
  }
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
