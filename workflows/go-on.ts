import { makeContinueAsNewFunc } from '@temporalio/workflow';
import { TypedSearchAttributes } from '@temporalio/common';
import { achievedRtoMs } from '../domain/clock.ts';
import { runbookOf, type EarlierRun, type NextRun } from '../domain/failover.ts';
import type { RecoverInput } from '../domain/plan.ts';
import type { RunRecord } from '../domain/run.ts';
import { runAttributes } from '../domain/run-attributes.ts';
import { goesAnotherWay } from './close.ts';
import { now } from './run-state.ts';
import { attributePairs } from './search-attributes.ts';
import type { StepContext } from './step-context.ts';

/**
 * Goes on with the run that was planned behind this one.
 *
 * @returns the record, where nothing follows
 */
export async function goOn(context: StepContext, record: RunRecord): Promise<RunRecord> {
  const { input } = context;
  const { next, otherwise } = input.plan;
  const earlier = [...(input.earlier ?? []), earlierRun(record)];
  // Its clock counts on: the same disaster.
  if (goesAnotherWay(context)) return follow({ ...input, earlier }, otherwise!, input);
  if (!next) return record;
  return follow({ ...input, earlier }, next, { reason: input.reason, declaredAt: now() });
}

function earlierRun(record: RunRecord): EarlierRun {
  const { run, runbook, from, to, outcome, exceptions } = record;
  const rtoMs = runbook === 'replicate' ? undefined : achievedRtoMs(record.clock);
  return {
    ...{ run, runbook, from, to, outcome: outcome!, exceptions: [...exceptions] },
    ...(rtoMs === undefined ? {} : { rtoMs }),
  };
}

type Why = Pick<RecoverInput, 'reason' | 'declaredAt' | 'occurredAt' | 'detectedAt'>;

/** Under the same lock: nobody else comes between the two. */
export async function follow(input: RecoverInput, next: NextRun, why: Why): Promise<never> {
  const { run, plan, planDigest } = next;
  const { reason, declaredAt, occurredAt, detectedAt } = why;
  const following: RecoverInput = {
    ...{ run, plan, planDigest, configDigest: input.configDigest, actor: input.actor, reason, declaredAt },
    ...(occurredAt === undefined ? {} : { occurredAt }),
    ...(detectedAt === undefined ? {} : { detectedAt }),
    ...(input.earlier && { earlier: input.earlier }),
  };
  await makeContinueAsNewFunc({
    workflowType: runbookOf(plan),
    memo: { run },
    typedSearchAttributes: new TypedSearchAttributes(attributePairs(runAttributes(run, plan))),
  })(following);
  throw new Error('a run that has gone on does not come back');
}
