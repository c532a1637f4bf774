import { DrError } from '../domain/errors.ts';
import type { FailoverMode } from '../domain/failover.ts';
import { knownSite } from '../domain/known-site.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { LeftOut } from '../domain/run.ts';
import { replicates } from '../domain/strategy.ts';
import { plannedCriteria } from './criteria.ts';
import { FAILOVER_PRECONDITIONS, FAILOVER_STEPS, type FailoverStepId } from './failover.ts';
import { isPresent, otherSite } from './plan.ts';
import { requireSoundOrder } from './order.ts';
import type { RecoverStepId } from './recover.ts';
import type { DeploymentShape, SiteShape } from './shape.ts';
import { selectSteps } from './select-steps.ts';
import { everyWorker, workersElsewhere, workersOf } from './workers.ts';

/** Compiles a failover into the plan that its workflow runs. Pure, as `plan.ts`. */

export interface FailoverRequest {
  /** The standby that takes over. */
  readonly to: string;
  /** The site that is followed; may be left out where there is one besides. */
  readonly from?: string;
  readonly mode: FailoverMode;
  readonly onFailure: 'ask' | 'abort';
  /** A lag over the limit, or one that is not known, will do. */
  readonly acceptLoss?: boolean;
}

/** @throws DrError NOT_REPLICATED, BAD_ARGUMENT, UNKNOWN_SITE */
export function compileFailover(shape: DeploymentShape, request: FailoverRequest): RecoverPlan {
  const strategy = requireReplicated(shape);
  const target = knownSite(shape.deployment, shape.sites, request.to);
  const from = otherSite(shape, request.to, request.from);
  const source = knownSite(shape.deployment, shape.sites, from);
  const others = workersElsewhere(shape, from, request.to);
  const { steps, leftOut } = selectSteps(FAILOVER_STEPS, (id) =>
    whyLeftOut(id, shape, target, request, others),
  );
  requireSoundOrder(FAILOVER_STEPS, steps, Object.keys(leftOut), FAILOVER_PRECONDITIONS);
  const approvals = (shape.approvals ?? []).filter(({ step }) => (steps as string[]).includes(step));
  const plan: RecoverPlan = {
    deployment: shape.deployment,
    tier: shape.tier,
    priority: TIER_DEFAULTS[shape.tier].priority,
    objectives: shape.objectives,
    ...{ from, to: request.to, scenario: 'infrastructure', inPlace: false },
    sourceMayBeGone: request.mode === 'forced',
    // Nothing is taken from a set.
    backup: 'latest',
    point: { kind: 'archive-end' },
    workers: { ...workersOf(shape, source, target, undefined, others), live: everyWorker(source) },
    onFailure: request.onFailure,
    ...(shape.notifies ? { notifies: true } : {}),
    ...(approvals.length > 0 ? { approvals } : {}),
    ...{ steps, leftOut },
    failover: {
      ...{ mode: request.mode, strategy, maxLagMs: shape.maxLagMs ?? shape.objectives.rpoMs },
      ...(request.acceptLoss ? { acceptLoss: true as const } : {}),
    },
  };
  return { ...plan, criteria: plannedCriteria(shape, plan) };
}

/** @throws DrError NOT_REPLICATED */
export function requireReplicated({ deployment, strategy = 'backup-restore' }: DeploymentShape) {
  if (replicates(strategy)) return strategy;
  throw new DrError('NOT_REPLICATED', { deployment, strategy });
}

const GRACEFUL_ONLY: readonly FailoverStepId[] = ['stop-writes', 'await-level', 'retire-source'];

function whyLeftOut(
  id: FailoverStepId,
  shape: DeploymentShape,
  target: SiteShape,
  { mode }: FailoverRequest,
  others: readonly string[],
): LeftOut | undefined {
  if (id === 'check-other-sites' && others.length === 0) return 'deployment';
  if (id === 'drain-source') return drains(shape, mode);
  if (id === 'promote-redis') return shape.hasRedis ? undefined : 'deployment';
  if (id === 'promote-database') return shape.hasDatabase ? undefined : 'deployment';
  if (mode !== 'graceful' && GRACEFUL_ONLY.includes(id)) return 'mode';
  return isPresent(id as RecoverStepId, shape, target) ? undefined : 'deployment';
}

/** Only where both sites serve: elsewhere the source serves until the standby can. */
function drains({ strategy, hasTraffic }: DeploymentShape, mode: FailoverMode): LeftOut | undefined {
  if (!hasTraffic) return 'deployment';
  if (strategy !== 'hot') return 'strategy';
  return mode === 'graceful' ? undefined : 'mode';
}
