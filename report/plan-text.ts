import { formatDuration } from '../domain/duration.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { PlanDocument, PlannedStep } from '../domain/plan-document.ts';
import { leftOutText } from '../domain/left-out.ts';
import type { LeftOut } from '../domain/run.ts';
import { snapshotText } from '../domain/snapshot-text.ts';
import { snapshotKind, snapshotKindsOf } from '../domain/snapshot.ts';
import { plannedLines } from './criteria.ts';
import { forecastLines } from './forecast.ts';
import { pointLines } from './points.ts';

/** A plan as plain text: what it is, how long it takes, what to know, then each step. Pure. */

export function planText(document: PlanDocument): string {
  const { plan, warnings } = document;
  return [
    titleOf(plan),
    `  plan ${document.planDigest.slice(0, 16)}, configuration ${document.configDigest.slice(0, 16)}`,
    `  tier ${plan.tier}, RTO ${formatDuration(plan.objectives.rtoMs)}, RPO ${formatDuration(plan.objectives.rpoMs)}; ${pointText(plan)}`,
    ...(plan.failover ? [] : [`  ${sourceText(plan)}`]),
    ...(plan.configRef
      ? [`  configuration from git ${plan.configRef.ref}, commit ${plan.configRef.commit}`]
      : []),
    '',
    ...(plan.failover || plan.replicate ? [] : ['FORECAST', ...forecastText(document), '']),
    ...(plan.criteria
      ? ['CRITERIA  (what must hold at the end; fixed with this plan)', ...plannedLines(plan.criteria), '']
      : []),
    ...(warnings.length > 0 ? ['TO KNOW', ...warnings.map((warning) => `  ! ${warning}`), ''] : []),
    'STEPS  (* changes something; the number: steps that share it may run at the same time)',
    ...document.phases.flatMap(({ phase, budgetMs }) => [
      `  ${phase}, at most ${formatDuration(budgetMs)}`,
      ...document.steps.filter((step) => step.phase === phase).flatMap(stepLines),
    ]),
    ...leftOut(plan),
  ].join('\n');
}

/** What a plan does, in one line. */
export function titleOf(plan: RecoverPlan): string {
  const { deployment, component, from, to, inPlace, scenario, failover, replicate } = plan;
  if (failover) return `Failover (${failover.mode}) of ${deployment} from ${from} to ${to}`;
  if (replicate) return `Make ${to} of ${deployment} follow ${from}`;
  return `Recover ${component ?? deployment} from ${from} to ${to}${inPlace ? ' (in place)' : ''}, ${scenario}`;
}

export function pointText({ point, backup, steps }: RecoverPlan): string {
  if (!steps.includes('restore-redis-data') && !steps.includes('restore-database-data'))
    return 'no store is restored';
  if (point.kind === 'archive-end') return 'the stores recover to the end of the archive';
  return point.kind === 'time'
    ? `the database recovers to ${point.at}`
    : `the stores recover to exactly the backup set (${backup})`;
}

/** What it will be made of; the sets themselves are looked at for the forecast, and when the run starts. */
function sourceText(plan: RecoverPlan): string {
  const { backup, backupBefore, snapshots } = plan;
  const kinds = snapshotKindsOf(plan).map((kind) => (kind === 'redis' ? 'Redis' : 'configuration'));
  if (snapshotKind(backup) !== undefined) return `from the set of snapshot ${backup}, and this snapshot`;
  const set = backup === 'latest' ? 'the newest verified set' : `set ${backup}`;
  const before = backupBefore?.startsWith('9') === false ? `, taken before ${backupBefore}` : '';
  if (kinds.length === 0) return `from ${set}${before}`;
  if (snapshots !== 'newest') return `from ${set} alone, without snapshots${before}`;
  return `from ${set}, and of ${kinds.join(' and ')} its newest verified snapshot${before}`;
}

function forecastText({ forecast, forecastMissing, plan }: PlanDocument): string[] {
  if (!forecast) return [`  not measured: ${forecastMissing}`];
  const { set, site, createdAt, verified, snapshots, points, forecast: expected } = forecast;
  const left = plan.objectives.rtoMs - expected.totalMs;
  return [
    `  ${formatDuration(expected.totalMs)} from start to traffic; ${left >= 0 ? `the RTO leaves ${formatDuration(left)} for everything else` : `${formatDuration(-left)} beyond the RTO`}`,
    ...forecastLines(expected),
    `  from set ${set} of ${site}, taken ${createdAt}, ${verified ? 'verified by a restore' : 'NOT verified by a restore'}`,
    ...snapshots.map((snapshot) => `  ${snapshotText(snapshot)}`),
    ...pointLines(points),
  ];
}

function stepLines(step: PlannedStep): string[] {
  const mark = step.risk === 'mutate' ? '*' : ' ';
  return [
    `  ${mark} ${String(step.group).padStart(2)} ${step.id.padEnd(24)} on ${step.workers.join(', ')}: ${step.purpose}`,
    ...(step.approval ? [`         waits for ${step.approval}`] : []),
    ...step.overwrites.map((what) => `         ${what}`),
  ];
}

function leftOut(plan: RecoverPlan): string[] {
  const byReason = new Map<LeftOut, string[]>();
  for (const [id, why] of Object.entries(plan.leftOut)) byReason.set(why, [...(byReason.get(why) ?? []), id]);
  if (byReason.size === 0) return [];
  return [
    '',
    'LEFT OUT',
    ...[...byReason].map(
      ([why, ids]) =>
        `  ${leftOutText({ ...plan, ...plan.failover }, { notPartOf: why })}: ${ids.join(', ')}`,
    ),
  ];
}
