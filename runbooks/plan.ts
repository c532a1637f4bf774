import { knownSite } from '../domain/known-site.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import { DrError } from '../domain/errors.ts';
import { RECOVERABLE, type LeftOut, type Recoverable, type Scenario } from '../domain/run.ts';
import type { RecoverPlan, RecoveryPoint } from '../domain/plan.ts';
import { isSetOrSnapshot, snapshotKind, snapshotKindsOf } from '../domain/snapshot.ts';
import { plannedCriteria } from './criteria.ts';
import { requireSoundOrder } from './order.ts';
import { RECOVER_STEPS, type RecoverStepId } from './recover.ts';
import type { DeploymentShape, RecoverRequest, SiteShape } from './shape.ts';
import { selectSteps } from './select-steps.ts';
import { workersElsewhere, workersOf } from './workers.ts';

/**
 * Compiles what the commander asked for into the plan that the workflow runs. Pure: names in, names out. The plan
 * carries no command, address or secret; workers find those in their own configuration.
 */

/** @throws DrError BAD_ARGUMENT, UNKNOWN_SITE where the request does not fit the deployment. */
export function compilePlan(shape: DeploymentShape, request: RecoverRequest): RecoverPlan {
  const target = knownSite(shape.deployment, shape.sites, request.to);
  const from = sourceSite(shape, request);
  const inPlace = from === request.to;
  refuseNonsense(request, from);
  if (inPlace && !request.inPlace && request.component === undefined) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--to',
      value: request.to,
      expected: `another site than the failed one, or --in-place to rebuild ${request.to} where it stands`,
    });
  }
  if (inPlace && request.scenario === 'regional') {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--to',
      value: request.to,
      expected: 'another site than the lost one: a regional disaster takes the hosts as well',
    });
  }
  const point = recoveryPoint(request, shape);
  const plan: Omit<RecoverPlan, 'steps' | 'leftOut'> = {
    deployment: shape.deployment,
    tier: shape.tier,
    priority: TIER_DEFAULTS[shape.tier].priority,
    objectives: shape.objectives,
    from,
    to: request.to,
    inPlace,
    sourceMayBeGone: request.scenario === 'regional' || request.scenario === 'network',
    ...(request.component === undefined ? {} : { component: request.component }),
    ...(request.asIs === undefined ? {} : { asIs: request.asIs }),
    scenario: request.scenario,
    backup: request.backup,
    snapshots: usesSnapshots(request, point) ? 'newest' : 'none',
    ...(isDamaged(request) || point.kind === 'time' ? { backupBefore: beforeDamage(request, point) } : {}),
    point,
    workers: workersOf(
      shape,
      knownSite(shape.deployment, shape.sites, from),
      target,
      request.component,
      workersElsewhere(shape, from, request.to),
    ),
    onFailure: request.onFailure,
    ...(shape.notifies ? { notifies: true } : {}),
  };
  const { steps, leftOut } = selectSteps(RECOVER_STEPS, (id) => whyLeftOut(id, shape, target, plan));
  refuseUnused(request, steps);
  requireSoundOrder(RECOVER_STEPS, steps, Object.keys(leftOut));
  const approvals = (shape.approvals ?? []).filter(({ step }) => (steps as string[]).includes(step));
  const compiled = { ...plan, ...(approvals.length > 0 ? { approvals } : {}), steps, leftOut };
  return { ...compiled, criteria: plannedCriteria(shape, compiled) };
}

/**
 * Where nobody knows when the damage began, a set that somebody has chosen is known to be free of it; what was taken
 * after it is not.
 */
function usesSnapshots(request: RecoverRequest, point: RecoveryPoint): boolean {
  if (request.snapshots === false) return false;
  return !isDamaged(request) || request.occurredAt !== undefined || point.kind === 'time';
}

function refuseUnused({ backup }: RecoverRequest, steps: readonly RecoverStepId[]): void {
  const kind = snapshotKind(backup);
  if (kind === undefined || snapshotKindsOf({ steps }).includes(kind)) return;
  throw new DrError('BAD_ARGUMENT', {
    argument: '--backup',
    value: backup,
    expected: `a set: this plan does not restore ${kind === 'redis' ? 'Redis' : 'any configuration'}`,
  });
}

/** What would be run as something else than was meant. */
function refuseNonsense({ backup, component, snapshots, to }: RecoverRequest, from: string): void {
  if (backup !== 'latest' && !isSetOrSnapshot(backup)) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--backup',
      value: backup,
      expected: 'an id such as 20261124T031500Z-1f2e, or latest',
    });
  }
  if (snapshots === false && snapshotKind(backup) !== undefined) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--no-snapshots',
      value: `beside the snapshot ${backup}`,
      expected: 'one of the two, or the set alone under --backup',
    });
  }
  if (component === undefined) return;
  if (!(RECOVERABLE as readonly string[]).includes(component)) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--component',
      value: component,
      expected: `one of ${RECOVERABLE.join(', ')}`,
    });
  }
  if (from !== to) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--from',
      value: from,
      expected: `${to}: one component is recovered in place, on its own site`,
    });
  }
}

/** Steps that stay even when only one component is recovered. */
const ALWAYS: readonly RecoverStepId[] = [
  'check-backup',
  'check-target',
  'check-other-sites',
  'provision-target',
  'claim-target',
  'measure-performance',
  'prove-security',
  'discard-old-data',
  'write-record',
];

/** What a component's own recovery consists of: the guide's component procedures. */
const COMPONENT_STEPS: Readonly<Record<Recoverable, readonly RecoverStepId[]>> = {
  redis: [
    'place-server-config',
    'restore-redis-data',
    'start-redis',
    'prove-redis',
    'measure-loss',
    'prove-gateways',
    'prove-authentication',
  ],
  database: [
    'place-server-config',
    'restore-database-data',
    'start-database',
    'prove-database',
    'measure-loss',
    'prove-dashboard',
    'prove-gateways',
    'protect-database',
  ],
  dashboard: ['restore-dashboard-config', 'start-dashboard', 'prove-dashboard', 'prove-gateways'],
  gateway: [
    'restore-gateway-config',
    'check-upstreams',
    'start-gateways',
    'prove-gateways',
    'prove-apis',
    'prove-authentication',
  ],
};

const DATA_STEPS: readonly RecoverStepId[] = ['restore-redis-data', 'restore-database-data'];

/** What puts something of a backup there, or compares with it: not of a component that is started as it is. */
const RESTORING: readonly RecoverStepId[] = [
  'provision-target',
  'place-server-config',
  ...DATA_STEPS,
  'prove-redis',
  'protect-database',
  'restore-dashboard-config',
  'restore-gateway-config',
];

function whyLeftOut(
  id: RecoverStepId,
  shape: DeploymentShape,
  target: SiteShape,
  plan: Omit<RecoverPlan, 'steps' | 'leftOut'>,
): LeftOut | undefined {
  if (!isPresent(id, shape, target)) return 'deployment';
  if (id === 'check-other-sites' && plan.workers.others.length === 0) return 'deployment';
  const { component } = plan;
  if (component !== undefined) {
    if (!ALWAYS.includes(id) && !COMPONENT_STEPS[component].includes(id)) return 'component';
    return plan.asIs !== undefined && RESTORING.includes(id) ? 'as-is' : undefined;
  }
  if (id === 'fence-source' && plan.inPlace) return 'in-place';
  if (id === 'hold-traffic' && !plan.inPlace) return 'elsewhere';
  return isNeeded(id, plan.scenario) ? undefined : 'scenario';
}

export function isNeeded(id: RecoverStepId, scenario: Scenario): boolean {
  switch (scenario) {
    case 'infrastructure':
    case 'regional':
    case 'corruption':
      return true;
    case 'human-error':
      // Somebody deleted definitions: the database goes back, the keys that were issued since stay.
      return !['restore-redis-data', 'prove-redis', 'place-server-config'].includes(id);
    case 'network':
      // The stores of the target are healthy; only who serves changes.
      return ![...DATA_STEPS, 'place-server-config', 'prove-redis', 'protect-database'].includes(id);
  }
}

export function isPresent(id: RecoverStepId, shape: DeploymentShape, target: SiteShape): boolean {
  const needs: Partial<Record<RecoverStepId, boolean>> = {
    'provision-target': target.provisions,
    'place-server-config': shape.hasRedis || shape.hasDatabase,
    'restore-redis-data': shape.hasRedis,
    'start-redis': shape.hasRedis,
    'prove-redis': shape.hasRedis,
    'restore-database-data': shape.hasDatabase,
    'start-database': shape.hasDatabase,
    'prove-database': shape.hasDatabase,
    'protect-database': shape.hasDatabase,
    'measure-loss': shape.hasRedis || shape.hasDatabase,
    'restore-dashboard-config': shape.hasDashboard,
    'start-dashboard': shape.hasDashboard,
    'prove-dashboard': shape.hasDashboard,
    'prove-dashboard-edit': shape.hasDashboard,
    'start-pump': shape.hasPump,
    'prove-analytics': shape.hasPump && shape.hasAnalyticsProbe,
    'hold-traffic': shape.hasTraffic,
    'switch-traffic': shape.hasTraffic,
    'prove-traffic': shape.hasTraffic,
    'measure-outage': shape.hasWitness,
  };
  return needs[id] ?? true;
}

function recoveryPoint(request: RecoverRequest, shape: DeploymentShape): RecoveryPoint {
  const onlySets = shape.hasDatabase && !shape.hasDatabaseLog;
  if (request.toTime !== undefined) {
    if (!onlySets) return { kind: 'time', at: request.toTime };
    throw new DrError('BAD_ARGUMENT', {
      argument: '--to-time',
      value: request.toTime,
      expected: `a set: the database of ${shape.deployment} is backed up without a log, so each set is one point; --scenario human-error --occurred ${request.toTime} takes the newest from before that moment`,
    });
  }
  if (!isDamaged(request)) return { kind: onlySets ? 'set' : 'archive-end' };
  // The end of the archive contains the damage. A set from before it does not.
  if (request.occurredAt === undefined && request.backup === 'latest') {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--scenario',
      value: request.scenario,
      expected: 'a point before the damage as well: --occurred TIME, --to-time TIME or --backup SET',
    });
  }
  return { kind: 'set' };
}

function isDamaged({ scenario }: RecoverRequest): boolean {
  return scenario === 'corruption' || scenario === 'human-error';
}

function beforeDamage(request: RecoverRequest, point: RecoveryPoint): string {
  if (point.kind === 'time') return point.at;
  return request.occurredAt ?? '9999-12-31T23:59:59.999Z';
}

function sourceSite(shape: DeploymentShape, request: RecoverRequest): string {
  if (request.from !== undefined) {
    knownSite(shape.deployment, shape.sites, request.from);
    return request.from;
  }
  if (request.inPlace || request.component !== undefined) return request.to;
  return otherSite(shape, request.to, undefined);
}

/** The site from which a run goes: as it was said, or the only one besides the target. */
export function otherSite(shape: DeploymentShape, to: string, from: string | undefined): string {
  const others = Object.keys(shape.sites).filter((site) => site !== to);
  // Nobody serves from where only drills go.
  const serving = others.length > 1 ? others.filter((site) => site !== shape.drill?.site) : others;
  if (from !== undefined) knownSite(shape.deployment, shape.sites, from);
  if (from !== undefined && from !== to) return from;
  if (from === undefined && serving.length === 1) return serving[0]!;
  throw new DrError('BAD_ARGUMENT', {
    argument: '--from',
    value: from ?? 'missing',
    expected: `another site than ${to}, one of ${others.join(', ')}`,
  });
}
