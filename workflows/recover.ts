import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import { RECORD_QUERY, workerQueue } from '../domain/messages.ts';
import type { RecoverInput, StopTargetResult } from '../domain/plan.ts';
import type { Outcome, RunRecord } from '../domain/run.ts';
import { listenForDecisions } from './decisions.ts';
import { withRtoClock } from './rto-clock.ts';
import { markClock, now, openRecord, publish, showDetails, stepRecord } from './run-state.ts';
import { activityOf } from './activity-of.ts';
import { Abort, Refusal, runStep, stepError, stepInput, type StepContext } from './run-step.ts';

/**
 * The recovery, told in the guide's order. Each line is a row of `runbooks/recover.ts` and an activity of the same
 * name; what is not part of the plan passes by.
 *
 * Returns the record of a recovered run. Any other outcome fails the workflow with that outcome as its type and
 * the record as its detail, so that it shows red wherever Temporal shows it.
 */
export async function recover(input: RecoverInput): Promise<RunRecord> {
  const record = openRecord(input);
  const context: StepContext = { input, record, epoch: Date.parse(record.clock.at(-1)!.at), begun: [] };
  setHandler(defineQuery<RunRecord>(RECORD_QUERY), () => record, {
    description: 'The whole record of the run as it stands: steps, clock, proofs, decisions.',
  });
  listenForDecisions(context);
  publish(record, { phase: 'infrastructure', rto: 'within' });
  showDetails(record);

  await withRtoClock(record, async () => {
    try {
      await untilAborted(context, () => tell(context));
      record.outcome = record.exceptions.length > 0 ? 'RECOVERED_WITH_EXCEPTIONS' : 'RECOVERED';
    } catch (error) {
      record.outcome = await giveUp(context, error);
    }
  });

  return close(context);
}

/** Tells the story; an abort cancels what is under way rather than waiting for its end. */
async function untilAborted(context: StepContext, story: () => Promise<void>): Promise<void> {
  const telling = new CancellationScope();
  const watching = new CancellationScope();
  const watch = watching.run(async () => {
    await condition(() => context.abort !== undefined);
    telling.cancel();
  });
  watch.catch(() => undefined);
  try {
    await telling.run(story);
  } finally {
    watching.cancel();
    await watch.catch(() => undefined);
  }
}

async function tell(context: StepContext): Promise<void> {
  await infrastructure(context);
  await settleAll([redis(context), database(context)]);
  markClock(context.record, 'data restored', 'prove-redis and prove-database');
  await dashboard(context);
  await gateways(context);
  await verification(context);
  await traffic(context);
  await closeOut(context);
}

async function infrastructure(context: StepContext): Promise<void> {
  const backup = await runStep(context, 'check-backup');
  if (backup) {
    context.set = backup.set.set;
    context.record.set = backup.set;
    context.record.forecast = backup.forecast;
  }
  await runStep(context, 'check-target');
  await runStep(context, 'provision-target');
  await runStep(context, 'fence-source');
  await runStep(context, 'claim-target');
}

async function redis(context: StepContext): Promise<void> {
  await runStep(context, 'restore-redis-data');
  await runStep(context, 'start-redis');
  await runStep(context, 'prove-redis');
}

async function database(context: StepContext): Promise<void> {
  await runStep(context, 'restore-database-data');
  await runStep(context, 'start-database');
  await runStep(context, 'prove-database');
}

async function dashboard(context: StepContext): Promise<void> {
  await runStep(context, 'restore-dashboard-config');
  await runStep(context, 'start-dashboard');
  await runStep(context, 'prove-dashboard');
}

async function gateways(context: StepContext): Promise<void> {
  await settleAll([
    startGateways(context),
    // The Gateway lets unread analytics expire after a minute: the Pump comes with it, not after.
    runStep(context, 'start-pump'),
  ]);
  await runStep(context, 'prove-gateways');
}

async function startGateways(context: StepContext): Promise<void> {
  await settleAll([runStep(context, 'restore-gateway-config'), runStep(context, 'check-upstreams')]);
  await runStep(context, 'start-gateways');
}

async function verification(context: StepContext): Promise<void> {
  await settleAll([
    runStep(context, 'prove-apis'),
    runStep(context, 'prove-authentication'),
    runStep(context, 'prove-analytics'),
    runStep(context, 'prove-dashboard-edit'),
  ]);
}

async function traffic(context: StepContext): Promise<void> {
  await runStep(context, 'switch-traffic');
  await runStep(context, 'prove-traffic');
  const proven = stepRecord(context.record, 'prove-traffic').state === 'done';
  markClock(
    context.record,
    'traffic verified',
    proven ? 'prove-traffic' : 'verification; traffic is not ours to switch',
  );
}

async function closeOut(context: StepContext): Promise<void> {
  await settleAll([measureOutage(context), runStep(context, 'protect-database')]);
  await runStep(context, 'discard-old-data');
}

async function measureOutage(context: StepContext): Promise<void> {
  const seen = await runStep(context, 'measure-outage');
  if (seen) context.record.witness = seen.witness;
}

/** Waits for all before it throws the first failure: no branch goes on unseen after another has failed. */
async function settleAll(branches: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(branches);
  for (const branch of settled) if (branch.status === 'rejected') throw branch.reason;
}

/** Brings the target to a stop, unserved, and says in which state it is. Never touches the traffic. */
async function giveUp(context: StepContext, cause: unknown): Promise<Outcome> {
  const { record } = context;
  if (cause instanceof Refusal) {
    record.error = cause.error;
    return 'REFUSED';
  }
  const abort = cause instanceof Abort ? cause.by : context.abort;
  if (abort) record.error = stepError('ABORTED', { actor: abort.actor, reason: abort.reason });
  else if (isCancellation(cause))
    record.error = stepError('ABORTED', { actor: 'Temporal', reason: 'cancelled' });
  else throw cause;
  try {
    await CancellationScope.nonCancellable(() => stopAndUndo(context));
  } catch (failure) {
    const message =
      failure instanceof Error
        ? failure.cause instanceof Error
          ? failure.cause.message
          : failure.message
        : String(failure);
    record.exceptions.push(`the undo failed: ${message}`);
    return 'STUCK';
  }
  return abort?.actor === '--on-failure abort' ? 'FAILED_UNDONE' : 'ABORTED';
}

/** How long stopping and switching back may take. */
const UNDO_LIMIT_MS = 10 * 60_000;

async function stopAndUndo(context: StepContext): Promise<void> {
  const { record, input } = context;
  if (context.begun.some((step) => step.where !== 'source')) {
    const stop = undoActivity(
      'stop-target',
      'Stop what this run started on the target',
      input.plan.workers.target,
    );
    const stopped = (await stop(stepInput(context, 'stop-target'))) as StopTargetResult;
    record.componentStates = { ...stopped.states };
  }
  for (const step of [...context.begun].reverse()) {
    if (step.undo === undefined) continue;
    const undo = undoActivity(step.undo, `Undo ${step.id}`, input.plan.workers[step.where]);
    const undone = await undo(stepInput(context, step.id));
    stepRecord(record, step.id).summary = `undone: ${undone.summary}`;
  }
}

function undoActivity(id: string, purpose: string, worker: string) {
  return activityOf({ id, purpose, risk: 'mutate', limitMs: UNDO_LIMIT_MS }, workerQueue(worker));
}

async function close(context: StepContext): Promise<RunRecord> {
  const { record } = context;
  record.endedAt = now();
  const recovered = record.outcome === 'RECOVERED' || record.outcome === 'RECOVERED_WITH_EXCEPTIONS';
  if (recovered) await runStep(context, 'write-record', structuredCopy(record));
  publish(record, { outcome: record.outcome!, phase: 'ended' });
  showDetails(record);
  await condition(allHandlersFinished);
  if (recovered) return record;
  throw ApplicationFailure.create({
    message: record.error?.message ?? record.outcome!,
    type: record.outcome!,
    nonRetryable: true,
    details: [record],
  });
}

/** The record as it will stand once it is written: the row that writes it cannot see its own end. */
function structuredCopy(record: RunRecord): RunRecord {
  const copy = JSON.parse(JSON.stringify(record)) as RunRecord;
  const row = stepRecord(copy, 'write-record');
  Object.assign(row, { state: 'done', startedAt: now(), endedAt: now(), calls: 1, summary: 'this record' });
  return copy;
}
