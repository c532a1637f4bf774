import { makeContinueAsNewFunc } from '@temporalio/workflow';
import { TypedSearchAttributes } from '@temporalio/common';
import type { RecoverInput } from '../domain/plan.ts';
import { runAttributes } from '../domain/run-attributes.ts';
import { untilApproved } from './approvals.ts';
import { now, stepRecord } from './run-state.ts';
import { attributePairs } from './search-attributes.ts';
import type { StepContext } from './step-context.ts';
import type { recover } from './recover.ts';

/**
 * A full drill that has passed may become the real thing. Its data are those of a moment ago, so it is not switched to:
 * it is torn down, and the deployment is recovered there as after a disaster: the live site is fenced first, the archive
 * replayed to its end, the loss measured, and people asked once more before the traffic.
 */

/** Waits for the approvals of `promote`. Without them the drill ends as any other. @returns whether it is approved */
export async function mayPromote(context: StepContext): Promise<boolean> {
  const { record, input } = context;
  if (input.plan.drill!.end !== 'promote') return false;
  const row = stepRecord(record, 'promote');
  row.startedAt = now();
  try {
    await untilApproved(context, 'promote', row);
  } catch {
    row.state = 'failed';
    row.summary = 'not approved: torn down like any other drill';
    return false;
  }
  row.state = 'done';
  row.endedAt = now();
  row.summary = `approved; ${input.plan.drill!.promotion!.run} recovers the deployment on ${input.plan.to}`;
  return true;
}

/** Goes on under the same lock as the recovery that was planned beside the drill. */
export async function promote({ input }: StepContext): Promise<never> {
  const { run, plan, planDigest } = input.plan.drill!.promotion!;
  const next: RecoverInput = {
    ...{ run, plan, planDigest, configDigest: input.configDigest, actor: input.actor },
    reason: `promotion of the drill ${input.run}: ${input.reason}`,
    declaredAt: now(),
  };
  await makeContinueAsNewFunc<typeof recover>({
    workflowType: 'recover',
    memo: { run },
    typedSearchAttributes: new TypedSearchAttributes(attributePairs(runAttributes(run, plan))),
  })(next);
  throw new Error('a promoted drill does not come back');
}
