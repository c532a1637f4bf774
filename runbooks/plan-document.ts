import type { Deployment } from '../domain/config.ts';
import { mayApprove, neededText, type ApprovalPolicy } from '../domain/approvals.ts';
import { formatDuration } from '../domain/duration.ts';
import type { ForecastAnswer, RecoverPlan } from '../domain/plan.ts';
import type { PlanDocument, PlannedStep } from '../domain/plan-document.ts';
import { NOT_PROVEN } from '../domain/replica-set.ts';
import type { Step } from '../domain/step.ts';
import { groupsInOrder } from './order.ts';
import { overwritesOf } from './overwrites.ts';
import { PHASE_BUDGETS } from './recover.ts';
import { tableOf } from './tables.ts';

/** Everything that there is to know of a plan before it runs. Pure. */

export interface PlanFacts {
  readonly planDigest: string;
  readonly configDigest: string;
  readonly deployment: Deployment;
  /** What a worker said, or why none did. */
  readonly forecast: ForecastAnswer | string;
}

export function planDocument(plan: RecoverPlan, facts: PlanFacts): PlanDocument {
  const { planDigest, configDigest, deployment, forecast } = facts;
  const steps = plannedSteps(plan, deployment);
  return {
    format: 'tyk-dr/plan/v1',
    planDigest,
    configDigest,
    plan,
    phases: [...new Set(steps.map(({ phase }) => phase))].map((phase) => ({
      phase,
      budgetMs: Math.round(PHASE_BUDGETS[phase] * plan.objectives.rtoMs),
    })),
    steps,
    ...(typeof forecast === 'string' ? { forecastMissing: forecast } : { forecast }),
    warnings: warningsOf(plan, deployment, forecast),
  };
}

function plannedSteps(plan: RecoverPlan, deployment: Deployment): PlannedStep[] {
  const table: readonly Step[] = tableOf(plan);
  const groups = groupsInOrder(table, plan.steps);
  const overwrites = overwritesOf(plan, deployment);
  return table
    .filter(({ id }) => plan.steps.includes(id))
    .map(({ id, phase, risk, purpose, proof, undo, limitMs, after, where }) => ({
      ...{ id, phase, risk, purpose, proof, limitMs },
      ...(undo === undefined ? {} : { undo }),
      // The record is written last, whatever came before: it waits for no step, so the order alone would put it first.
      group: id === 'write-record' ? groups.length + 1 : groups.findIndex((group) => group.includes(id)) + 1,
      after: after.filter((before) => plan.steps.includes(before)),
      workers: plan.workers[where] ?? [],
      overwrites: overwrites[id] ?? [],
      ...approvalOf(plan.approvals?.find(({ step }) => step === id)),
    }));
}

function approvalOf(policy: ApprovalPolicy | undefined): Pick<PlannedStep, 'approval'> {
  if (!policy) return {};
  const then = policy.onTimeout === 'abort' ? 'the run is given up' : 'the alarm is raised';
  return { approval: `${neededText(policy)}; after ${formatDuration(policy.timeoutMs)} ${then}` };
}

function warningsOf(plan: RecoverPlan, deployment: Deployment, forecast: ForecastAnswer | string): string[] {
  const { rtoMs } = plan.objectives;
  const warnings: string[] = [];
  const warnIf = (holds: boolean, text: string): void => {
    if (holds) warnings.push(text);
  };
  if (typeof forecast !== 'string') {
    const { set, verified, forecast: expected } = forecast;
    warnIf(!verified, `set ${set} was never proven by a restore: tyk-dr backup verify ${set}`);
    warnIf(
      expected.totalMs > rtoMs,
      `the forecast of ${formatDuration(expected.totalMs)} is beyond the RTO of ${formatDuration(rtoMs)}`,
    );
  }
  warnIf(
    plan.point.kind === 'set' && plan.steps.includes('restore-database-data'),
    'the database goes back to the moment of the set: what was written since is lost',
  );
  warnIf(
    plan.point.kind === 'time' && plan.steps.includes('restore-database-data'),
    `what was written to the database after ${plan.point.kind === 'time' ? plan.point.at : ''} is lost`,
  );
  warnIf(
    plan.sourceMayBeGone && plan.steps.includes('fence-source'),
    `nobody at ${plan.from} may answer: somebody must then say that it cannot write (tyk-dr confirm)`,
  );
  warnIf(
    plan.inPlace,
    `${plan.to} is rebuilt where it stands: it serves nobody until the proofs have passed`,
  );
  warnIf(
    plan.component === undefined && deployment.traffic === undefined,
    'no load balancer is configured: bring the clients to the target yourself',
  );
  warnIf(
    deployment.probes.length === 0,
    'no probes are configured: APIs are proven by a sample only, keys not at all',
  );
  warnIf(deployment.witness === undefined, 'no witness is configured: what clients see is not measured');
  warnIf(
    plan.steps.includes('prove-security') &&
      !deployment.probes.some(({ proves }) => proves === 'revoked-key'),
    'no probe proves revoked-key: security counts as not measured, and the run cannot end as plain RECOVERED',
  );
  warnIf(
    (plan.failover ?? plan.replicate) !== undefined &&
      deployment.sites[plan.to]?.database?.kind === 'mongodb',
    `MongoDB: its replica-set commands are ${NOT_PROVEN}; docs/mongodb.md says what was`,
  );
  for (const policy of plan.approvals ?? []) {
    const able = (deployment.approvers ?? [])
      .filter((who) => mayApprove(who, policy))
      .map(({ name }) => name);
    warnIf(
      able.length === policy.count,
      `${policy.step} cannot be approved if ${able.join(' or ')} starts the run: nobody may in their place`,
    );
  }
  warnIf(
    plan.onFailure === 'abort',
    'a step that fails for good ends the run and undoes it: nobody is asked',
  );
  return warnings;
}
