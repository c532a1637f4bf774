import { runbookOf, type FailoverPlan, type Runbook } from '../domain/failover.ts';
import type { Step } from '../domain/step.ts';
import { DRILL_STEPS, type DrillStepId } from './drill.ts';
import { FAILOVER_STEPS, FORCED_STEPS, type FailoverStepId } from './failover.ts';
import { RECOVER_STEPS, type RecoverStepId } from './recover.ts';
import { REPLICATE_STEPS, type ReplicateStepId } from './replicate.ts';

/** The table of steps of each runbook. */

export type StepId = RecoverStepId | DrillStepId | FailoverStepId | ReplicateStepId;

const TABLES: Readonly<Record<Runbook, readonly Step<StepId>[]>> = {
  recover: RECOVER_STEPS,
  drill: DRILL_STEPS,
  failover: FAILOVER_STEPS as readonly Step<StepId>[],
  replicate: REPLICATE_STEPS as readonly Step<StepId>[],
};

/** The table of steps that a plan is made of. */
export function tableOf(
  plan: Parameters<typeof runbookOf>[0] & { readonly failover?: Pick<FailoverPlan, 'mode'> },
): readonly Step<StepId>[] {
  if (plan.failover?.mode === 'forced') return FORCED_STEPS as readonly Step<StepId>[];
  return TABLES[runbookOf(plan)];
}

/** The ids of all tables, each once. */
export const EVERY_STEP: readonly string[] = [
  ...new Set(Object.values(TABLES).flatMap((table) => table.map(({ id }) => id))),
];
