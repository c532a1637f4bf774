import { planDigest } from '../adapters/config/digest.ts';
import { runbookOf, type NextRun, type Runbook } from '../domain/failover.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { RunKind } from '../domain/run-id.ts';
import { compileFailover, type FailoverRequest } from '../runbooks/failover-plan.ts';
import { otherWays } from '../runbooks/other-ways.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import { runId } from './run-id.ts';

/** Each plan names the run behind it, so that what is approved is the whole of it. */

/** A failover, with the ways that are left where it cannot be gone to its end. */
export function takesOver(shape: DeploymentShape, request: FailoverRequest): RecoverPlan {
  const plan = compileFailover(shape, request);
  return chain([plan, ...otherWays(shape, plan)], 'otherwise');
}

/** @param link whether each follows upon the one before, or stands in for it */
export function chain(
  plans: readonly RecoverPlan[],
  link: 'next' | 'otherwise',
  startsMs = Date.now(),
): RecoverPlan {
  const [first, ...others] = plans as [RecoverPlan, ...RecoverPlan[]];
  if (others.length === 0) return first;
  // Their ids sort as they run.
  const laterMs = startsMs + 1_000;
  const plan = chain(others, link, laterMs);
  const linked: NextRun = {
    run: runIdFor(plan, new Date(laterMs).toISOString()),
    plan,
    planDigest: planDigest(plan),
  };
  return { ...first, [link]: linked };
}

const KINDS: Readonly<Record<Runbook, RunKind>> = {
  recover: 'rec',
  drill: 'drl',
  failover: 'fo',
  replicate: 'rep',
};

export const runIdFor = (plan: RecoverPlan, at?: string): string => runId(KINDS[runbookOf(plan)], at);
