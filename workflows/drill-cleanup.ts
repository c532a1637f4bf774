import { ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { ERRORS } from '../domain/error-table.ts';
import { workerQueue } from '../domain/messages.ts';
import type { StepInput } from '../domain/plan.ts';
import { tableOf } from '../runbooks/tables.ts';
import type { LeaksResult } from '../activities/drill-target.ts';
import { openRecord } from './run-state.ts';
import type { StepContext } from './step-context.ts';
import { tearDown, tidyTarget, unmarkTarget } from './tear-down.ts';
import { callThrough } from './call-step.ts';
import { stepInput } from './step-context.ts';

export interface DrillCleanupInput {
  readonly deployment: string;
  readonly site: string;
  readonly workers: readonly string[];
  readonly configDigest: string;
}

/**
 * Takes back what a drill has left that was cut off (terminated, or lost with its Temporal): every step's effect, by
 * what the mark on its site tells. Under the lock of the deployment, so that no drill runs meanwhile.
 *
 * @returns a sentence for each thing done, for people.
 */
export async function drillCleanup(input: DrillCleanupInput): Promise<string[]> {
  const marks = await Promise.all(input.workers.map((worker) => markOn(worker, input)));
  const mark = marks.find((found) => found !== null);
  if (!mark) return [`nothing is left of a drill on ${input.site}`];
  const told: string[] = [];
  for (const run of [mark.run, `${mark.run}-copy`]) {
    const context = contextOf(mark, run, input.configDigest);
    const failures = await tearDown(context);
    if (failures.length > 0) throw left(input, mark.run, failures);
  }
  told.push(`what ${mark.run} had made on ${input.site} is taken back`);
  const context = contextOf(mark, mark.run, input.configDigest);
  const untidy = await tidyTarget(context);
  if (untidy.length > 0) throw left(input, mark.run, untidy);
  const find = tableOf(mark.plan).find(({ id }) => id === 'find-leaks')!;
  const found = (await callThrough(find, mark.plan.workers.target, () => [
    stepInput(context, find.id),
  ])) as LeaksResult;
  if (found.left.length > 0) throw left(input, mark.run, found.left);
  const failures = await unmarkTarget(context);
  if (failures.length > 0) throw left(input, mark.run, failures);
  return [...told, found.summary];
}

function left({ deployment, site }: DrillCleanupInput, run: string, what: readonly string[]) {
  const message = ERRORS.DRILL_LEFT.message({ run, site, deployment });
  return ApplicationFailure.nonRetryable(`${message}: ${what.slice(0, 5).join('; ')}`, 'DRILL_LEFT');
}

/** As the run itself would have had it at its end: every step may have begun. */
function contextOf(mark: StepInput, run: string, configDigest: string): StepContext {
  const input = {
    ...{ run, plan: mark.plan, planDigest: '', configDigest, actor: 'tyk-dr drill cleanup' },
    ...{ reason: 'cleanup', declaredAt: mark.basisAt },
  };
  return {
    ...{ input, record: openRecord(input), epoch: mark.epoch, decided: new Map(), acceptedConfigs: [] },
    begun: tableOf(mark.plan).filter(({ undo }) => undo !== undefined),
    ...(mark.set === undefined ? {} : { set: mark.set }),
    ...(mark.snapshots === undefined ? {} : { snapshots: mark.snapshots }),
  };
}

function markOn(worker: string, { deployment, site }: DrillCleanupInput): Promise<StepInput | null> {
  const { 'read-drill-mark': read } = proxyActivities<{
    'read-drill-mark': (deployment: string, site: string) => Promise<StepInput | null>;
  }>({
    taskQueue: workerQueue(worker),
    scheduleToCloseTimeout: '20s',
    retry: { maximumAttempts: 3 },
    summary: `Is a drill left on ${site}?`,
  });
  return read(deployment, site);
}
