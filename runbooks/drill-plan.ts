import type { ApprovalPolicy } from '../domain/approvals.ts';
import { NEVER_IN_A_DRILL, type DrillPlan, type Plant } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import { knownSite } from '../domain/known-site.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { LeftOut, Recoverable } from '../domain/run.ts';
import { isSetOrSnapshot } from '../domain/snapshot.ts';
import { plannedCriteria } from './criteria.ts';
import { DRILL_STEPS, type RehearsedId } from './drill.ts';
import { requireSoundOrder } from './order.ts';
import { compilePlan, isNeeded, isPresent } from './plan.ts';
import { PLANTED } from './plants.ts';
import { RECOVER_STEPS, type RecoverStepId } from './recover.ts';
import type { DeploymentShape, SiteShape } from './shape.ts';
import { selectSteps } from './select-steps.ts';
import { everyWorker, workersOf } from './workers.ts';

/** Compiles what a drill is to rehearse into the plan that its workflow runs. Pure, as `plan.ts`. */

export interface DrillRequest extends Omit<DrillPlan, 'limitMs'> {
  /** The live site; may be left out where there is one besides that of the drills. */
  readonly from?: string;
  /** A set's id, or `latest`. */
  readonly backup: string;
  readonly onFailure: 'ask' | 'abort';
  /** Who decides that a simulated disaster is one. */
  readonly decide: 'auto' | 'person';
}

/** @throws DrError DRILL_NOT_CONFIGURED, BAD_ARGUMENT, UNKNOWN_SITE */
export function compileDrill(shape: DeploymentShape, request: DrillRequest): RecoverPlan {
  if (!shape.drill) throw new DrError('DRILL_NOT_CONFIGURED', { deployment: shape.deployment });
  refuseNonsense(request);
  refuseUnapprovable(shape, request);
  const { site: to, limitMs } = shape.drill;
  const target = knownSite(shape.deployment, shape.sites, to);
  const from = liveSite(shape, request.from, to);
  const source = knownSite(shape.deployment, shape.sites, from);
  const { type, scenario, component, plant, end, participants, scheduled, promotion } = request;
  const drill: DrillPlan = {
    ...{ type, scenario, end, participants, limitMs },
    ...(component === undefined ? {} : { component }),
    ...(plant === undefined ? {} : { plant }),
    ...(promotion === undefined ? {} : { promotion }),
    ...(scheduled === undefined ? {} : { scheduled }),
  };
  const { steps, leftOut } = selectSteps(DRILL_STEPS, (id) => whyLeftOut(id, shape, target, drill));
  if (plant !== undefined) refuseUnnoticeable(shape, steps, plant);
  requireSoundOrder(DRILL_STEPS, steps, Object.keys(leftOut));
  const onlySets = shape.hasDatabase && !shape.hasDatabaseLog;
  const plan: RecoverPlan = {
    deployment: shape.deployment,
    tier: shape.tier,
    priority: TIER_DEFAULTS[shape.tier].priority,
    objectives: shape.objectives,
    ...{ from, to, scenario, drill },
    inPlace: false,
    sourceMayBeGone: false,
    backup: request.backup,
    snapshots: 'newest',
    // What is damaged in a simulation is the copy: the archive of the live site ends before that.
    point: { kind: onlySets ? 'set' : 'archive-end' },
    workers: {
      ...workersOf(shape, source, target, undefined, []),
      ...{ source: [], traffic: [], live: everyWorker(source) },
    },
    onFailure: request.onFailure,
    ...(shape.notifies ? { notifies: true } : {}),
    ...approvalsOf(shape, request),
    ...{ steps, leftOut },
  };
  return { ...plan, criteria: plannedCriteria(shape, plan) };
}

/** By somebody else than who has started it, within the hour. */
const byOne = (step: string): ApprovalPolicy => ({
  ...{ step, count: 1, roles: [], timeoutMs: 3_600_000, onTimeout: 'abort' },
});

/**
 * Before the recovery of a simulation somebody must say that it is one. A promotion asks as many people as the traffic
 * does, and then again before the traffic.
 */
function approvalsOf(shape: DeploymentShape, { decide, end }: DrillRequest): Pick<RecoverPlan, 'approvals'> {
  if (decide === 'person') return { approvals: [byOne('claim-target')] };
  if (end !== 'promote') return {};
  return { approvals: [{ ...trafficPolicy(shape), step: 'promote' }] };
}

function trafficPolicy({ approvals = [] }: DeploymentShape): ApprovalPolicy {
  return approvals.find(({ step }) => step === 'switch-traffic') ?? byOne('switch-traffic');
}

/** The recovery that follows a drill which is promoted. It asks nobody whether an unfenced site will do. */
export function compilePromotion(shape: DeploymentShape, from: string): RecoverPlan {
  const approvals = [
    ...(shape.approvals ?? []).filter(({ step }) => step !== 'switch-traffic'),
    trafficPolicy(shape),
  ];
  return compilePlan(
    { ...shape, approvals },
    {
      ...{ to: shape.drill!.site, from, backup: 'latest', scenario: 'infrastructure' },
      ...{ inPlace: false, onFailure: 'abort' },
    },
  );
}

function refuseNonsense({ type, component, backup, plant, end, decide }: DrillRequest): void {
  const refuse = (argument: string, value: string, expected: string): never => {
    throw new DrError('BAD_ARGUMENT', { argument, value, expected });
  };
  if (type === 'component' && component === undefined)
    refuse('--component', 'missing', 'which one is rehearsed: redis, database, dashboard or gateway');
  if (type !== 'component' && component !== undefined)
    refuse('--component', component, `--type component, where a ${type} drill rehearses all of them`);
  if (backup !== 'latest' && !isSetOrSnapshot(backup))
    refuse('--backup', backup, 'an id such as 20261124T031500Z-1f2e, or latest');
  if (end === 'promote' && type !== 'full')
    refuse('--end', 'promote', '--type full: nothing less is proven enough to serve');
  if (end === 'promote' && plant !== undefined)
    refuse('--plant', plant, 'no planted fault in a drill that may be promoted');
  if (decide === 'person' && type !== 'simulation')
    refuse('--decide', 'person', '--type simulation, the only one in which something is to be decided');
}

/** It would wait for people who are not declared, and then be given up. */
function refuseUnapprovable({ approvers = 0 }: DeploymentShape, { end, decide }: DrillRequest): void {
  if (approvers > 0 || (end === 'teardown' && decide === 'auto')) return;
  throw new DrError('BAD_ARGUMENT', {
    argument: end === 'promote' ? '--end' : '--decide',
    value: end === 'promote' ? end : decide,
    expected: 'people under approvers: somebody else than its starter has to say yes',
  });
}

function refuseUnnoticeable({ unplantable }: DeploymentShape, steps: readonly string[], plant: Plant): void {
  const expected = unplantable?.includes(plant)
    ? `a fault that this deployment can have: this one needs ${NEEDS[plant]}`
    : steps.includes(PLANTED[plant].noticedBy)
      ? undefined
      : `a fault that this drill can notice; ${PLANTED[plant].noticedBy}, which would, is no part of it`;
  if (expected !== undefined)
    throw new DrError('BAD_ARGUMENT', { argument: '--plant', value: plant, expected });
}

const NEEDS: Readonly<Partial<Record<Plant, string>>> = {
  'slow-database': 'PostgreSQL',
  'revoked-key-works': 'a probe that proves revoked-key, with the key',
};

/** The site that serves: as it was said, or the only one besides that of the drills. */
export function liveSite(shape: DeploymentShape, from: string | undefined, to: string): string {
  const others = Object.keys(shape.sites).filter((site) => site !== to);
  if (from !== undefined && from !== to) return from;
  if (from === undefined && others.length === 1) return others[0]!;
  throw new DrError('BAD_ARGUMENT', {
    argument: '--from',
    value: from ?? 'missing',
    expected: `the site that serves, one of ${others.join(', ')}; drills go to ${to}`,
  });
}

/** What each component stands on has to be there, before it can be rehearsed. */
const STANDS_ON: Readonly<Record<Recoverable, readonly RecoverStepId[]>> = {
  redis: ['restore-redis-data', 'start-redis', 'prove-redis', 'measure-loss'],
  database: ['restore-database-data', 'start-database', 'prove-database', 'measure-loss'],
  dashboard: ['restore-dashboard-config', 'start-dashboard', 'prove-dashboard'],
  gateway: [],
};

function stepsOf(component: Recoverable): readonly string[] {
  switch (component) {
    case 'redis':
    case 'database':
      return STANDS_ON[component];
    case 'dashboard':
      return [...STANDS_ON.redis, ...STANDS_ON.database, ...STANDS_ON.dashboard];
    case 'gateway':
      return RECOVER_STEPS.map(({ id }) => id);
  }
}

const ALWAYS: readonly RehearsedId[] = [
  'observe-live',
  'check-backup',
  'check-target',
  'list-target',
  'provision-target',
  'claim-target',
  'find-leaks',
  'compare-live',
  'write-record',
];

function whyLeftOut(
  id: RehearsedId,
  shape: DeploymentShape,
  target: SiteShape,
  { type, scenario, component, end }: DrillPlan,
): LeftOut | undefined {
  if (NEVER_IN_A_DRILL.includes(id)) return 'drill';
  if (id === 'promote') return end === 'promote' ? undefined : 'drill';
  if (id === 'inject-disaster') return type === 'simulation' ? undefined : 'drill';
  if (ALWAYS.includes(id) && !RECOVER_STEPS.some((step) => step.id === id)) return undefined;
  if (!isPresent(id as RecoverStepId, shape, target)) return 'deployment';
  if (component !== undefined)
    return ALWAYS.includes(id) || stepsOf(component).includes(id) ? undefined : 'component';
  return type !== 'simulation' || isNeeded(id as RecoverStepId, scenario) ? undefined : 'scenario';
}
