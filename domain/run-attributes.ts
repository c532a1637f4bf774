import { runbookOf } from './failover.ts';
import type { SEARCH_ATTRIBUTES } from './messages.ts';
import type { RecoverPlan } from './plan.ts';

/** By what Temporal finds a run: set when it starts, whoever starts it. */
export function runAttributes(
  run: string,
  plan: RecoverPlan,
): Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string>> {
  const { deployment, tier, to } = plan;
  return { run, deployment, tier, runbook: runbookOf(plan), site: to };
}
