import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  isCancellation,
  log,
  startChild,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { rtoBasis } from '../domain/clock.ts';
import { ERRORS, isErrorCode, type ErrorCode } from '../domain/errors.ts';
import { fenceId, workerQueue } from '../domain/messages.ts';
import type { RecoverInput, StepInput } from '../domain/plan.ts';
import type {
  Decision,
  FailureDetails,
  Proof,
  RunRecord,
  StepError,
  StepRecord,
  StepResult,
} from '../domain/run.ts';
import type { Step } from '../domain/step.ts';
import { RECOVER_STEPS, type RecoverStepId } from '../runbooks/recover.ts';
import { SCHEDULE_TO_START_MS } from './activity-of.ts';
import { CallFailure, callEverywhere } from './call-step.ts';
import { enterPhase, leavePhase, now, publish, showDetails, stepRecord } from './run-state.ts';

/**
 * Runs one step to its end: in order, on its worker, with the retries of its risk class, and where it has failed
 * for good, with a person's decision. A mutating activity observes before it acts, so calling it again after a
 * timeout is how its outcome is found out.
 */

/** The activity refuses a task that waited longer than its queue time, with a margin for the clocks. */
const NOT_AFTER_MARGIN_MS = 5_000;

/** The run was given up, by a person or by `--on-failure abort`. */
export class Abort extends Error {
  readonly by: Decision;
  constructor(by: Decision) {
    super(by.reason);
    this.by = by;
  }
}

/** A precondition does not hold and nothing was changed yet. */
export class Refusal extends Error {
  readonly error: StepError;
  constructor(error: StepError) {
    super(error.message);
    this.error = error;
  }
}

export interface StepContext {
  readonly input: RecoverInput;
  readonly record: RunRecord;
  /** Unix milliseconds; see StepInput. */
  readonly epoch: number;
  /** Steps whose effect may have begun, in order; an abort undoes them last first. */
  readonly begun: Step<RecoverStepId>[];
  abort?: Decision;
  set?: string;
}

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
): Promise<StepError | 'worker-away' | 'look-again' | undefined> {
  row.state = 'running';
  const workers = context.input.plan.workers[step.where];
  row.queue = workers.map(workerQueue).join(', ');
  row.calls += 1;
  delete row.waitsFor;
  showDetails(context.record);
  try {
    const result = await callEverywhere(step, workers, [stepInput(context, step.id), ...more]);
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
    return classify(error, step);
  }
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

async function settleFailure(
  context: StepContext,
  step: Step<RecoverStepId>,
  row: StepRecord,
  failure: StepError | 'worker-away' | 'look-again',
): Promise<void> {
  if (failure === 'look-again' && step.where === 'source' && row.calls >= SOURCE_LOOKS) {
    row.error = stepError('NOT_FENCED', {
      site: context.input.plan.from,
      reason: `its worker on ${row.queue ?? ''} took the task and fell silent`,
    });
  } else if (failure === 'look-again') {
    log.warn('the outcome is unknown, looking again', { step: step.id });
    if (row.calls < MAX_LOOKS) return;
    row.error = stepError('OUTCOME_UNKNOWN', { step: step.id });
  } else if (failure === 'worker-away' && step.where === 'source') {
    // The host may be gone with its site. Silence is not a fence: a person must say that it cannot write.
    row.error = stepError('NOT_FENCED', {
      site: context.input.plan.from,
      reason: `no worker answers on ${row.queue ?? ''}`,
    });
  } else if (failure === 'worker-away') {
    if (
      !context.record.steps.some((other) => other.state === 'done' && other.id !== step.id) &&
      row.calls >= 2
    ) {
      throw new Refusal(stepError('WORKER_MISSING', { queue: row.queue ?? '' }));
    }
    // Nothing to decide: it goes on by itself when the worker is back, and says so until then.
    row.waitsFor = `the worker of ${row.queue ?? ''}`;
    publish(context.record, {});
    showDetails(context.record);
    giveUpIfAborted(context);
    return;
  } else {
    row.error = failure;
  }
  const first = !context.begun.some((begun) => begun.id !== step.id);
  const refusedOnEntry = step.risk === 'probe' || REFUSED_ON_ENTRY.includes(row.error.code);
  if (first && refusedOnEntry && ERRORS[row.error.code].class === 'refused') {
    row.state = 'failed';
    throw new Refusal(row.error);
  }
  await askPerson(context, step, row);
}

/** What activities/guard.ts refuses before a mutating step has done anything. */
const REFUSED_ON_ENTRY: readonly ErrorCode[] = ['CONFIG_DRIFT', 'SUPERSEDED'];

/** How often a mutating step with an unknown outcome is looked at again before a person is asked. */
const MAX_LOOKS = 5;

/** A site behind a cut cable does not answer better the fifth time, and every look costs time that clients wait. */
const SOURCE_LOOKS = 2;

async function askPerson(context: StepContext, step: Step<RecoverStepId>, row: StepRecord): Promise<void> {
  const { record } = context;
  row.state = 'waiting';
  row.waitsFor = row.error?.code === 'NOT_FENCED' ? 'retry, confirm or abort' : 'retry or abort';
  log.error(`step ${step.id} has failed and waits for ${row.waitsFor}`, { error: row.error?.message ?? '' });
  if (context.input.plan.onFailure === 'abort') {
    context.abort ??= automaticAbort(step, row);
  }
  const wait = { for: `${step.id}: ${row.waitsFor}`, from: now() };
  record.waits.push(wait);
  publish(record, {});
  showDetails(record);
  await condition(() => row.state !== 'waiting' || context.abort !== undefined);
  Object.assign(wait, { until: now() });
  if (context.abort !== undefined) row.state = 'failed';
  giveUpIfAborted(context);
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

function automaticAbort(step: Step, row: StepRecord): Decision {
  return {
    kind: 'abort',
    step: step.id,
    actor: '--on-failure abort',
    reason: row.error?.message ?? 'a step failed',
    at: now(),
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

function giveUpIfAborted(context: StepContext): void {
  if (context.abort !== undefined) throw new Abort(context.abort);
}

/** What an activity's failure means for the step. Anything that is not ours is shown as the bug that it is. */
function classify(error: unknown, step: Step): StepError | 'worker-away' | 'look-again' {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure) {
    if (cause.timeoutType === 'SCHEDULE_TO_START') return 'worker-away';
    return step.risk === 'mutate' ? 'look-again' : stepError('OUTCOME_UNKNOWN', { step: step.id });
  }
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) {
    if (cause.type === 'EXPIRED') return 'worker-away';
    return { code: cause.type, message: cause.message, hint: ERRORS[cause.type].hint, at: now() };
  }
  return stepError('BUG', { message: cause?.message ?? error.message });
}

export function stepError(code: ErrorCode, details: Record<string, string>): StepError {
  return { code, message: ERRORS[code].message(details), hint: ERRORS[code].hint, at: now() };
}
