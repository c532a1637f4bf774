import { untilApproved } from './approvals.ts';
import { follow } from './go-on.ts';
import { now, stepRecord } from './run-state.ts';
import type { StepContext } from './step-context.ts';

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
  const reason = `promotion of the drill ${input.run}: ${input.reason}`;
  return follow(input, input.plan.drill!.promotion!, { reason, declaredAt: now() });
}
