import { knownSite } from '../domain/known-site.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { LeftOut } from '../domain/run.ts';
import { runsWarm, type Strategy } from '../domain/strategy.ts';
import { requireReplicated } from './failover-plan.ts';
import { requireSoundOrder } from './order.ts';
import { otherSite } from './plan.ts';
import { REPLICATE_PRECONDITIONS, REPLICATE_STEPS, type ReplicateStepId } from './replicate.ts';
import type { DeploymentShape } from './shape.ts';
import { selectSteps } from './select-steps.ts';
import { everyWorker, workersElsewhere, workersOf } from './workers.ts';

/** Compiles what makes a site a standby into the plan that its workflow runs. Pure, as `plan.ts`. */

export interface ReplicateRequest {
  /** The site that is to follow. */
  readonly to: string;
  /** The one that serves. */
  readonly from?: string;
  readonly onFailure: 'ask' | 'abort';
}

/** @throws DrError NOT_REPLICATED, BAD_ARGUMENT, UNKNOWN_SITE */
export function compileReplicate(shape: DeploymentShape, request: ReplicateRequest): RecoverPlan {
  const strategy = requireReplicated(shape);
  const target = knownSite(shape.deployment, shape.sites, request.to);
  const from = otherSite(shape, request.to, request.from);
  const source = knownSite(shape.deployment, shape.sites, from);
  const { steps, leftOut } = selectSteps(REPLICATE_STEPS, (id) => whyLeftOut(id, shape, strategy));
  requireSoundOrder(REPLICATE_STEPS, steps, Object.keys(leftOut), REPLICATE_PRECONDITIONS);
  const others = workersElsewhere(shape, from, request.to);
  return {
    deployment: shape.deployment,
    tier: shape.tier,
    priority: TIER_DEFAULTS[shape.tier].priority,
    objectives: shape.objectives,
    ...{ from, to: request.to, scenario: 'infrastructure', inPlace: false, sourceMayBeGone: false },
    ...{ backup: 'latest', snapshots: 'newest' },
    point: { kind: 'archive-end' },
    workers: { ...workersOf(shape, source, target, undefined, others), live: everyWorker(source) },
    onFailure: request.onFailure,
    ...(shape.notifies ? { notifies: true } : {}),
    ...{ steps, leftOut },
    replicate: {
      ...{ sharePercent: shape.sharePercent ?? 50 },
      ...{ strategy, synchronous: shape.synchronous === true },
      // A hot one serves with all of them.
      ...(strategy === 'warm-standby' && shape.standbyGateways !== undefined
        ? { gateways: shape.standbyGateways }
        : {}),
    },
  };
}

const NEEDS: Readonly<
  Partial<Record<ReplicateStepId, 'hasRedis' | 'hasDatabase' | 'hasDashboard' | 'hasPump' | 'hasTraffic'>>
> = {
  'copy-database': 'hasDatabase',
  'follow-database': 'hasDatabase',
  'make-synchronous': 'hasDatabase',
  'clear-redis': 'hasRedis',
  'follow-redis': 'hasRedis',
  'restore-dashboard-config': 'hasDashboard',
  'start-dashboard': 'hasDashboard',
  'restore-pump-config': 'hasPump',
  'hold-traffic': 'hasTraffic',
  'share-traffic': 'hasTraffic',
};

function whyLeftOut(id: ReplicateStepId, shape: DeploymentShape, strategy: Strategy): LeftOut | undefined {
  const need = NEEDS[id];
  if (need !== undefined && !shape[need]) return 'deployment';
  if ((id === 'hold-traffic' || id === 'share-traffic') && strategy !== 'hot') return 'strategy';
  if ((id === 'start-dashboard' || id === 'start-gateways') && !runsWarm(strategy)) return 'strategy';
  return undefined;
}
