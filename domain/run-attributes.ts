import type { SEARCH_ATTRIBUTES } from './messages.ts';
import type { RecoverPlan } from './plan.ts';

/** By what Temporal finds a run: set when it starts, whoever starts it. */
export function runAttributes(
  run: string,
  { deployment, tier, to, drill }: RecoverPlan,
): Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string>> {
  return { run, deployment, tier, runbook: drill === undefined ? 'recover' : 'drill', site: to };
}
