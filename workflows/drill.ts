import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import { compareLooks, type LookItem } from '../domain/live-look.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { Outcome, RunRecord } from '../domain/run.ts';
import { close } from './close.ts';
import { beside } from './beside.ts';
import { bringBack } from './bring-back.ts';
import { judge, judgeAtTheEnd } from './judge.ts';
import { openRun } from './open-run.ts';
import { chooseBackup, measurePerformance, settleAll, untilAborted } from './recover-story.ts';
import { withRtoClock } from './rto-clock.ts';
import { runStep } from './run-step.ts';
import { checkForCopy, openCopy, simulate } from './simulate.ts';
import { Abort, abortFor, isAutomatic, Refusal, stepError, type StepContext } from './step-context.ts';
import { countMade, tearDown, tidyTarget, unmarkTarget } from './tear-down.ts';
import { mayPromote, promote } from './promote.ts';
import { judgePlant, removePlant } from './plant.ts';
import { withTelling } from './tell-people.ts';
import { whileWatched } from './watch-drill.ts';

/**
 * A drill: the recovery's own story in an isolated target, between two looks at the live site, and torn down whatever
 * came of it. It asks nobody: what fails is what it was to find out.
 *
 * Returns the record of a drill that has recovered; any other outcome fails the workflow, as with a recovery.
 */
export async function drill(input: RecoverInput): Promise<RunRecord> {
  const context = openRun(input);
  return withTelling(context, () => toItsEnd(context));
}

async function toItsEnd(context: StepContext): Promise<RunRecord> {
  const { record } = context;
  const seen: { before: readonly LookItem[] } = { before: [] };
  let promoted = false;
  try {
    await inTime(context, () => untilAborted(context, () => rehearse(context, seen)));
    judgeAtTheEnd(context);
    if (record.exceptions.length === 0) promoted = await mayPromote(context);
    record.outcome = 'RECOVERED';
  } catch (error) {
    record.outcome = failed(context, error);
    judge(context);
  }
  if (record.outcome !== 'REFUSED')
    await CancellationScope.nonCancellable(() => leaveNothing(context, seen.before));
  await CancellationScope.nonCancellable(() => removePlant(context));
  if (record.outcome === 'RECOVERED' && record.exceptions.length > 0)
    record.outcome = 'RECOVERED_WITH_EXCEPTIONS';
  judgePlant(record);
  const closed = await close(context);
  return promoted && closed.outcome === 'RECOVERED' ? promote(context) : closed;
}

async function rehearse(context: StepContext, seen: { before: readonly LookItem[] }): Promise<void> {
  seen.before = (await runStep(context, 'observe-live'))?.looks ?? [];
  await chooseBackup(context);
  const copy = context.input.plan.drill!.type === 'simulation' ? openCopy(context) : undefined;
  if (copy) await checkForCopy(context, copy);
  else await runStep(context, 'check-target');
  await runStep(context, 'list-target');
  await whileWatched(context, async () => {
    if (copy) await simulate(context, copy);
    await withRtoClock(context.record, () => bringBack(context));
    await settleAll([
      measurePerformance(context),
      runStep(context, 'prove-security'),
      runStep(context, 'prove-dashboard-edit'),
    ]);
  });
}

/** A drill that hangs, or waits for a worker that is away, must not lie on its site for ever. */
function inTime(context: StepContext, story: () => Promise<void>): Promise<void> {
  const { limitMs } = context.input.plan.drill!;
  return beside(async () => {
    await condition(() => false, limitMs, { summary: 'longest time of a drill' });
    abortFor(context, 'drill.limit', 'the drill took longer than its limit');
  }, story);
}

function failed(context: StepContext, error: unknown): Outcome {
  const { record } = context;
  if (error instanceof Refusal) {
    record.error = error.error;
    // What had been marked by then is taken back by the tear-down.
    return context.begun.length === 0 ? 'REFUSED' : 'FAILED_UNDONE';
  }
  const abort = error instanceof Abort ? error.by : context.abort;
  if (!abort && !isCancellation(error)) throw error;
  const { actor, reason } = abort ?? { actor: 'Temporal', reason: 'cancelled' };
  const row = record.steps.find(({ id }) => id === abort?.step);
  record.error = (isAutomatic(actor) && row?.error) || stepError('ABORTED', { actor, reason });
  return isAutomatic(actor) || actor === 'audit-isolation' ? 'FAILED_UNDONE' : 'ABORTED';
}

/** Takes everything back, proves that, and that the live site is as it was. */
async function leaveNothing(context: StepContext, before: readonly LookItem[]): Promise<void> {
  const { record } = context;
  delete context.abort;
  const made = await countMade(context);
  const failures = await tearDown(context);
  if (context.copy) failures.push(...(await tearDown(context.copy)));
  if (failures.length === 0) failures.push(...(await tidyTarget(context)));
  await lookForLeaks(context, made ?? 0);
  if (failures.length === 0) failures.push(...(await unmarkTarget(context)));
  await compareWithLive(context, before);
  if (failures.length === 0) return;
  record.exceptions.push(...failures);
  record.outcome = 'STUCK';
}

async function lookForLeaks(context: StepContext, made: number): Promise<void> {
  const { record } = context;
  const found = await runStep(context, 'find-leaks').catch(() => undefined);
  if (!found) record.drill!.leaks = { verdict: 'not-measured', made, left: [] };
  else
    record.drill!.leaks = {
      verdict: found.left.length === 0 ? 'pass' : 'fail',
      made,
      left: found.left,
    };
  const { verdict, left } = record.drill!.leaks;
  if (verdict === 'fail') record.exceptions.push(`find-leaks: left behind: ${left.slice(0, 5).join('; ')}`);
  if (verdict === 'not-measured')
    record.exceptions.push('find-leaks: whether something is left behind was not looked at');
}

async function compareWithLive(context: StepContext, before: readonly LookItem[]): Promise<void> {
  const { record } = context;
  const after = await runStep(context, 'compare-live').catch(() => undefined);
  const untouched = compareLooks(before, after?.looks ?? []);
  record.drill!.untouched = untouched;
  const other = untouched.looks.filter(({ verdict }) => verdict === 'fail');
  if (untouched.verdict === 'fail') {
    const what = other.map((look) => `${look.what}: ${look.before}, then ${look.after}`).join('; ');
    record.error ??= stepError('LIVE_CHANGED', { what });
    record.exceptions.push(`compare-live: ${what}`);
  }
  if (untouched.verdict === 'not-measured') {
    const unseen = untouched.looks
      .filter(({ verdict }) => verdict === 'not-measured')
      .map(({ what }) => what);
    record.exceptions.push(
      `compare-live: not shown to be untouched: ${unseen.join(', ') || 'nobody looked at the live site'}`,
    );
  }
}
