import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  isCancellation,
  log,
  TimeoutFailure,
} from '@temporalio/workflow';
import { ERRORS, isErrorCode, type ErrorCode } from '../domain/error-table.ts';
import type { FailureDetails, StepError, StepRecord } from '../domain/run.ts';
import type { Step } from '../domain/step.ts';
import { choicesOf, mayDivert } from '../runbooks/choices.ts';
import type { StepId } from '../runbooks/tables.ts';
import { now, publish, showDetails } from './run-state.ts';
import {
  automaticAbort,
  BY_ITSELF,
  giveUpIfAborted,
  Refusal,
  stepError,
  type StepContext,
} from './step-context.ts';
import { reasonOf, undoStep } from './undo-step.ts';
import { closeWait, openWait } from './waits.ts';

/** What becomes of a step that failed: called again, refused, or laid before a person. */

/** `worker-away`: nobody took the task. `look-again`: it was taken, and how it ended is not known. */
export type Failure = StepError | 'worker-away' | 'look-again';

/** What an activity's failure means for the step. Anything that is not ours is shown as the bug that it is. */
export function classify(error: unknown, step: Step): Failure {
  if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
  const { cause } = error;
  if (cause instanceof TimeoutFailure) {
    if (cause.timeoutType === 'SCHEDULE_TO_START') return 'worker-away';
    return step.risk === 'mutate' ? 'look-again' : stepError('OUTCOME_UNKNOWN', { step: step.id });
  }
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) {
    if (cause.type === 'EXPIRED') return 'worker-away';
    if (cause.type === 'WORKER_STOPPED') return 'look-again';
    const [details] = (cause.details ?? []) as [FailureDetails?];
    return {
      code: cause.type,
      message: cause.message,
      hint: ERRORS[cause.type].hint,
      at: now(),
      ...(details?.output === undefined ? {} : { output: details.output }),
    };
  }
  return stepError('BUG', { message: cause?.message ?? error.message });
}

/** Returns when the step is to be called again, or is done with by a decision. @throws Refusal, Abort */
export async function settleFailure(
  context: StepContext,
  step: Step<StepId>,
  row: StepRecord,
  failure: Failure,
): Promise<void> {
  const { from } = context.input.plan;
  if (failure === 'worker-away' && step.where === 'others') {
    row.state = 'done';
    row.summary = `no worker answers on ${row.queue ?? ''}: nobody has looked whether that site serves`;
    context.record.exceptions.push(`${row.id}: ${row.summary}`);
    return;
  }
  if (failure === 'look-again' && step.where === 'source' && row.calls >= SOURCE_LOOKS) {
    row.error = stepError('NOT_FENCED', {
      site: from,
      reason: `its worker on ${row.queue ?? ''} took the task and fell silent`,
    });
  } else if (failure === 'look-again') {
    log.warn('the outcome is unknown, looking again', { step: step.id });
    if (row.calls < MAX_LOOKS) return;
    row.error = stepError('OUTCOME_UNKNOWN', { step: step.id });
  } else if (failure === 'worker-away' && step.where === 'source') {
    // The host may be gone with its site. Silence is not a fence: a person must say that it cannot write.
    row.error = stepError('NOT_FENCED', {
      site: from,
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
  } else if (step.where === 'source' && !REFUSED_ON_ENTRY.includes(failure.code)) {
    // Whatever it was (a full disk, a service that hangs): the site is not fenced, and a person may know better.
    row.error =
      failure.code === 'NOT_FENCED'
        ? failure
        : {
            ...stepError('NOT_FENCED', { site: from, reason: failure.message }),
            ...(failure.output === undefined ? {} : { output: failure.output }),
          };
  } else {
    row.error = failure;
  }
  const first = !context.begun.some((begun) => begun.id !== step.id);
  // Nothing has been touched: whatever a look finds wrong is a refusal, and nobody need decide about it.
  const isRefused = step.risk === 'probe' || REFUSED_ON_ENTRY.includes(row.error.code);
  if (first && isRefused && !isOffered(context, step, row.error)) {
    row.state = 'failed';
    throw new Refusal(row.error);
  }
  await askPerson(context, step, row);
}

/**
 * Where there is another way, a standby that is behind or does not answer is laid before people. One that follows nobody
 * is a mistake, and refused; but not any more where people have come here from another way.
 */
function isOffered({ input }: StepContext, step: Step<StepId>, { code }: StepError): boolean {
  if (input.plan.onFailure === 'abort' || !mayDivert(step, input.plan)) return false;
  return input.earlier !== undefined || ![...REFUSED_ON_ENTRY, 'STANDBY_IS_ANOTHER'].includes(code);
}

/** What activities/guard.ts refuses before a mutating step has done anything. */
const REFUSED_ON_ENTRY: readonly ErrorCode[] = ['CONFIG_DRIFT', 'SUPERSEDED', 'WORKER_NOT_CONFIGURED'];

/** Clients are waiting: what is not given up at once keeps them waiting for a person. */
const GIVES_UP: readonly ErrorCode[] = ['LEVEL_NOT_REACHED'];

/** How often a mutating step with an unknown outcome is looked at again before a person is asked. */
const MAX_LOOKS = 5;

/** A site behind a cut cable does not answer better the fifth time, and every look costs time that clients wait. */
const SOURCE_LOOKS = 2;

/** Until a person decides what becomes of the step; after an undo it waits again. @throws Abort */
async function askPerson(context: StepContext, step: Step<StepId>, row: StepRecord): Promise<void> {
  const { record, input, decided } = context;
  row.choices = choicesOf(step, row.error!.code, input.plan);
  row.waitsFor = listed(row.choices);
  const reason = row.error?.message ?? 'a step failed';
  if (input.plan.onFailure === 'abort') context.abort ??= automaticAbort(step.id, reason);
  else if (GIVES_UP.includes(row.error!.code)) context.abort ??= automaticAbort(step.id, reason, BY_ITSELF);
  do {
    row.state = 'waiting';
    const wait = openWait(record, 'decision', `${step.id}: ${row.waitsFor}`);
    try {
      await condition(() => row.state !== 'waiting' || context.abort !== undefined);
    } finally {
      closeWait(record, wait);
    }
    if (context.abort !== undefined) row.state = 'failed';
    giveUpIfAborted(context);
    if (decided.get(step.id)?.kind === 'undo') await undoOnDemand(context, step, row);
  } while (decided.get(step.id)?.kind === 'undo');
  delete row.choices;
  delete row.waitsFor;
}

async function undoOnDemand(context: StepContext, step: Step<StepId>, row: StepRecord): Promise<void> {
  const decision = context.decided.get(step.id)!;
  decision.result = await undoStep(context, step).then(
    (undone) => `undone: ${undone}`,
    (error: unknown) => `the undo failed: ${reasonOf(error)}`,
  );
  row.summary = decision.result;
}

function listed(choices: readonly string[]): string {
  return `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}
