import { setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { sameBuild, type ServedBy } from '../domain/build.ts';
import { clockPoint, rtoBasis } from '../domain/clock.ts';
import type { Choice } from '../domain/decision.ts';
import { otherWayText, runbookOf, type NextRun, type OtherWay } from '../domain/failover.ts';
import { formatDuration } from '../domain/duration.ts';
import { leftOutText } from '../domain/left-out.ts';
import {
  hasEnded,
  PHASES,
  type ClockPointName,
  type LeftOut,
  type Phase,
  type RunRecord,
  type StepRecord,
} from '../domain/run.ts';
import { summaryOf } from '../domain/run-summary.ts';
import type { RecoverInput } from '../domain/plan.ts';
import { tableOf } from '../runbooks/tables.ts';
import { PHASE_BUDGETS } from '../runbooks/recover.ts';
import { attributePairs } from './search-attributes.ts';
import { tellFleet } from './stand-still.ts';

/** The record of a run in flight, and the surfaces on which it shows: details, memo, search attributes. */

export function openRecord(input: RecoverInput): RunRecord {
  const { plan } = input;
  const inPlan = new Set<string>(plan.steps);
  return {
    format: 'tyk-dr/run/v1',
    run: input.run,
    runbook: runbookOf(plan),
    ...(plan.failover && { mode: plan.failover.mode }),
    ...(input.earlier && { earlier: input.earlier }),
    ...(plan.otherwise && { otherwise: otherWay(plan.otherwise) }),
    workflowId: workflowInfo().workflowId,
    deployment: plan.deployment,
    tier: plan.tier,
    from: plan.from,
    to: plan.to,
    ...(plan.component === undefined ? {} : { component: plan.component }),
    scenario: plan.scenario,
    reason: input.reason,
    actor: input.actor,
    configDigest: input.configDigest,
    planDigest: input.planDigest,
    ...(plan.configRef === undefined ? {} : { configRef: plan.configRef }),
    objectives: plan.objectives,
    // What must hold stands in the record from its first moment on.
    ...(plan.criteria && {
      criteria: plan.criteria.map((each) => ({
        ...each,
        verdict: 'not-measured',
        found: 'not measured yet',
      })),
    }),
    clock: openClock(input),
    phases: PHASES.map((phase) => ({
      phase,
      budgetMs: Math.round(PHASE_BUDGETS[phase] * plan.objectives.rtoMs),
    })),
    steps: tableOf(plan).map(({ id, phase }) => ({
      id,
      phase,
      ...(inPlan.has(id) ? { state: 'pending' as const } : notPart(plan.leftOut[id])),
      calls: 0,
    })),
    ...(plan.drill === undefined ? {} : { drill: { ...plan.drill } }),
    proofs: [],
    exceptions: [],
    decisions: [],
    approvals: [],
    refusedApprovals: [],
    waits: [],
    alarms: [],
  };
}

const otherWay = ({ run, plan }: NextRun): OtherWay => ({ run, runbook: runbookOf(plan), to: plan.to });

function notPart(why: LeftOut | undefined): Pick<StepRecord, 'state' | 'notPartOf'> {
  return { state: 'not-part', ...(why && { notPartOf: why }) };
}

function openClock(input: RecoverInput): RunRecord['clock'] {
  return [
    ...(input.occurredAt
      ? [{ name: 'occurred' as const, at: input.occurredAt, source: `stated by ${input.actor}` }]
      : []),
    ...(input.detectedAt
      ? [{ name: 'detected' as const, at: input.detectedAt, source: `stated by ${input.actor}` }]
      : []),
    { name: 'declared', at: input.declaredAt, source: `command of ${input.actor}` },
    { name: 'started', at: now(), source: 'workflow start' },
  ];
}

/** Workflow time: deterministic under replay. */
export const now = (): string => new Date().toISOString();

export function stepRecord(record: RunRecord, id: string): StepRecord {
  const found = record.steps.find((step) => step.id === id);
  if (!found) throw new Error(`step ${id} is not in the table`);
  return found;
}

/** Each worker and build once, from the step for which it first answered. */
export function keepBuilds(record: RunRecord, step: string, servedBy: readonly ServedBy[] = []): void {
  for (const { worker, build } of servedBy) {
    const known = record.builds?.some((each) => each.worker === worker && sameBuild(each.build, build));
    if (!known) (record.builds ??= []).push({ worker, build, step });
  }
}

export function markClock(record: RunRecord, name: ClockPointName, source: string): void {
  if (!clockPoint(record.clock, name)) record.clock.push({ name, at: now(), source });
}

/** Enters a phase once, however many of its steps begin at the same time. */
export function enterPhase(record: RunRecord, phase: Phase): void {
  const entry = record.phases.find((candidate) => candidate.phase === phase)!;
  if (entry.startedAt) return;
  entry.startedAt = now();
  publish(record, { phase });
}

/** Leaves a phase when none of its steps is still to be done. */
export function leavePhase(record: RunRecord, phase: Phase): void {
  const open = record.steps.some((step) => step.phase === phase && !hasEnded(step));
  const entry = record.phases.find((candidate) => candidate.phase === phase)!;
  if (!open && !entry.endedAt) entry.endedAt = now();
}

export interface SurfaceChange {
  phase?: string;
  outcome?: string;
  rto?: string;
}

/** Shows a change where people look. The memo is what `status` reads when no worker lives to answer a query. */
export function publish(record: RunRecord, change: SurfaceChange): void {
  const pairs = attributePairs({ ...change });
  if (pairs.length > 0) upsertSearchAttributes(pairs);
  upsertMemo({ summary: summaryOf(record, change.phase) });
}

/** The table that the Temporal UI shows as the run's current details. */
export function showDetails(record: RunRecord): void {
  tellFleet(record);
  const basis = rtoBasis(record.clock);
  const deadline = new Date(Date.parse(basis.at) + record.objectives.rtoMs).toISOString();
  const rows = record.steps
    .filter((step) => step.state !== 'not-part' && step.state !== 'pending')
    .map((step) => `| ${step.phase} | ${step.id} | ${step.state} | ${elapsed(step)} | ${remark(step)} |`);
  const pending = record.steps.filter((step) => step.state === 'pending').map((step) => step.id);
  setCurrentDetails(
    [
      `${record.drill === undefined ? '' : '**DRILL** · '}**${record.outcome ?? 'running'}** · ${record.deployment} from ${record.from} to ${record.to} · run \`${record.run}\``,
      '',
      `RTO ${formatDuration(record.objectives.rtoMs)}, counted from ${basis.name} ${basis.at}: due ${deadline}`,
      ...record.alarms.map((alarm) => `- ${alarm.at} ${alarm.text}`),
      ...asked(record),
      '',
      '| phase | step | state | time | remark |',
      '|---|---|---|---|---|',
      ...rows,
      ...(pending.length > 0 ? ['', `To come: ${pending.join(', ')}`] : []),
      ...leftOut(record),
    ].join('\n'),
  );
}

/** What a person must do, with what they need to decide it. */
function asked(record: RunRecord): string[] {
  const { paused } = record;
  return [
    ...(paused
      ? ['', `**Paused** by ${paused.actor} at ${paused.at}: ${paused.reason}. Update \`resume\` goes on.`]
      : []),
    ...record.steps
      .filter(({ needsApproval }) => needsApproval)
      .map(
        ({ id, waitsFor, needsApproval }) =>
          `\n**${id} waits for ${waitsFor}**, until ${needsApproval!.dueAt}. Update \`approve\`; plan \`${record.planDigest}\`.`,
      ),
    ...record.steps
      .filter(({ state, choices }) => state === 'waiting' && choices)
      .flatMap(({ id, error, choices }) => [
        '',
        `**${id} has failed**: ${error?.message ?? ''}`,
        '',
        `${error?.hint ?? ''} Decide with one of the updates ${choices!.map((choice) => choiceText(record, choice)).join(', ')}.`,
        ...(error?.output ? ['', '```text', error.output.replaceAll('```', "'''"), '```'] : []),
      ]),
  ];
}

const choiceText = ({ otherwise }: RunRecord, choice: Choice): string =>
  choice === 'divert' ? `\`divert\` (${otherWayText(otherwise!)})` : `\`${choice}\``;

/** One line a reason, with the steps that it leaves out. */
function leftOut(record: RunRecord): string[] {
  const byReason = new Map<string, string[]>();
  for (const step of record.steps) {
    if (step.state !== 'not-part') continue;
    const why = leftOutText(record, step);
    byReason.set(why, [...(byReason.get(why) ?? []), step.id]);
  }
  return [...byReason].flatMap(([why, ids]) => ['', `_${why}_: ${ids.join(', ')}`]);
}

function elapsed(step: StepRecord): string {
  if (!step.startedAt || !step.endedAt) return '';
  // The table is narrow: a figure must not be parted from its unit.
  return formatDuration(Date.parse(step.endedAt) - Date.parse(step.startedAt)).replaceAll(' ', '\u00a0');
}

function remark(step: StepRecord): string {
  const text =
    step.state === 'waiting'
      ? `**${step.waitsFor ?? 'a decision'}**${step.error ? `: ${step.error.message}` : ''}`
      : [step.summary ?? '', ...(step.reliesOn ? [`relies on ${step.reliesOn.join(', ')}`] : [])]
          .filter(Boolean)
          .join('; ');
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 300);
}
