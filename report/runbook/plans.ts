import type { Deployment } from '../../domain/config.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';
import type { SitePlan } from './script.ts';

/** The plans that tyk-dr itself would run on a site: one for each site that may be given up, and one in place. Pure. */
export function plansFor(
  name: string,
  deployment: Deployment,
  to: string,
  digestOf: (plan: RecoverPlan) => string,
): SitePlan[] {
  return Object.keys(deployment.sites).map((from) => {
    const plan = compilePlan(shapeOf(name, deployment), {
      ...{ to, from, backup: 'latest', scenario: 'infrastructure', inPlace: from === to, onFailure: 'ask' },
    });
    return { from, plan, digest: digestOf(plan) };
  });
}
