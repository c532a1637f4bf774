import { APPROVABLE, type ApprovalPolicy } from '../domain/approvals.ts';
import type { Runbook } from '../domain/failover.ts';
import type { DeadPart } from '../domain/monitor-glance.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { Recoverable } from '../domain/run.ts';
import { replicates as isReplicating } from '../domain/strategy.ts';
import { compileFailover } from './failover-plan.ts';
import { otherWays } from './other-ways.ts';
import { compilePlan } from './plan.ts';
import type { DeploymentShape } from './shape.ts';
import { tableOf } from './tables.ts';

/** The plans of what a monitor starts. Pure, as `plan.ts`. */

/** One dead component, started again where it stands. It asks nobody, and is undone where it does not help. */
export function healPlan(shape: DeploymentShape, site: string, { component, names }: DeadPart): RecoverPlan {
  return compilePlan(shape, {
    ...{ to: site, component: component as Recoverable, asIs: names, backup: 'latest' },
    ...{ scenario: 'infrastructure', inPlace: true, onFailure: 'abort' },
  });
}

/** What brings a deployment to another site, and the workflow that does it. */
export interface Takeover {
  readonly workflow: Runbook;
  readonly plan: RecoverPlan;
  /** What people may decide for instead, in this order. */
  readonly otherWays?: readonly RecoverPlan[];
}

/**
 * The one place that knows what takes over from a failed site: its standby, or a recovery from the backup where nothing
 * replicates.
 *
 * @throws DrError UNKNOWN_SITE, BAD_ARGUMENT
 */
export function takeover(shape: DeploymentShape, from: string, to: string): Takeover {
  if (replicates(shape)) {
    const plan = compileFailover(shape, { from, to, mode: 'forced', onFailure: 'ask' });
    return { workflow: 'failover', plan, otherWays: otherWays(shape, plan) };
  }
  const plan = compilePlan(shape, {
    ...{ from, to, backup: 'latest', scenario: 'infrastructure', inPlace: false, onFailure: 'ask' },
  });
  return { workflow: 'recover', plan };
}

/** Whether the stores of the other site follow those of the one that serves. */
export const replicates = ({ strategy = 'backup-restore' }: DeploymentShape): boolean =>
  isReplicating(strategy);

/** Nobody is paged again before that. */
const PROPOSAL_PATIENCE_MS = 10 * 60_000;

/** The plan with an approval before its first change: until then it only looks, and everything is ready. */
export function proposed(plan: RecoverPlan): RecoverPlan {
  const first = tableOf(plan).find(({ id, risk }) => risk === 'mutate' && plan.steps.includes(id));
  const step = first && APPROVABLE.find((id) => id === first.id);
  if (step === undefined) return plan;
  const { approvals = [] } = plan;
  if (approvals.some((policy) => policy.step === step)) return plan;
  const policy: ApprovalPolicy = {
    ...{ step, count: 1, roles: [], timeoutMs: PROPOSAL_PATIENCE_MS, onTimeout: 'escalate' },
  };
  return { ...plan, approvals: [policy, ...approvals] };
}
