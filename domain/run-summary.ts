import type { NeededApproval } from './approvals.ts';
import { achievedRtoMs } from './clock.ts';
import type { Choice, Wait } from './decision.ts';
import type { DrillType } from './drill.ts';
import { rpoRange } from './loss.ts';
import type { Objectives, Tier } from './objectives.ts';
import { hasEnded, PHASES, type ClockPoint, type Component, type Outcome, type RunRecord } from './run.ts';

/**
 * A run without its bulk: what the memo of its workflow holds for the moment in which no worker answers, and what
 * the index of kept records holds of each. Plain JSON.
 */
export interface RunSummary {
  readonly run: string;
  readonly deployment: string;
  readonly tier: Tier;
  readonly from: string;
  readonly to: string;
  readonly component?: Component;
  readonly scenario: string;
  /** Present where the run is a drill. */
  readonly drill?: DrillType;
  /** Where it is no recovery and no drill: `graceful failover`, `standby`. */
  readonly exchange?: string;
  readonly reason: string;
  readonly actor: string;
  readonly objectives: Objectives;
  readonly phase: string;
  readonly outcome?: Outcome;
  /** Steps that have ended, of those that are part of the run. */
  readonly done: number;
  readonly of: number;
  readonly waiting: readonly WaitingStep[];
  readonly waits: readonly Wait[];
  /** Who let no further step begin, and why. */
  readonly paused?: RunRecord['paused'];
  readonly clock: readonly ClockPoint[];
  /** From the start to the traffic, milliseconds; absent until the set is chosen. */
  readonly forecastMs?: number;
  /** From when the RTO counts to verified traffic, milliseconds; absent where it was not reached. */
  readonly achievedRtoMs?: number;
  /** What was lost over all stores, milliseconds; absent where a store was not measured. */
  readonly loss?: { readonly minMs: number; readonly maxMs: number };
  readonly exceptions: number;
  readonly endedAt?: string;
}

export interface WaitingStep {
  readonly step: string;
  /** `worker`: it goes on by itself as soon as one takes it. */
  readonly who: 'person' | 'worker';
  readonly for: string;
  readonly error: string;
  readonly hint?: string;
  /** What a person may decide about it. */
  readonly choices?: readonly Choice[];
  /** The last lines of the tool that failed. */
  readonly output?: string;
  /** Whose word it waits for before it begins. */
  readonly approval?: NeededApproval;
}

/** A memo is not a place for an essay. */
const REASON_LIMIT = 200;

/** @param phase the one that is being entered, where the record does not say so yet. */
export function summaryOf(record: RunRecord, phase?: string): RunSummary {
  const entered = PHASES.filter((name) => record.phases.find((entry) => entry.phase === name)?.startedAt);
  const achieved = achievedRtoMs(record.clock);
  const loss = rpoRange(record.losses);
  const exchange = exchangeText(record);
  return {
    run: record.run,
    deployment: record.deployment,
    tier: record.tier,
    from: record.from,
    to: record.to,
    ...(record.component === undefined ? {} : { component: record.component }),
    scenario: record.scenario,
    ...(record.drill === undefined ? {} : { drill: record.drill.type }),
    ...(exchange === undefined ? {} : { exchange }),
    reason: record.reason.slice(0, REASON_LIMIT),
    actor: record.actor,
    objectives: record.objectives,
    phase: phase ?? entered.at(-1) ?? PHASES[0],
    ...(record.outcome === undefined ? {} : { outcome: record.outcome }),
    done: record.steps.filter((step) => step.state !== 'not-part' && hasEnded(step)).length,
    of: record.steps.filter((step) => step.state !== 'not-part').length,
    waiting: record.outcome === undefined ? waitingSteps(record) : [],
    waits: record.waits,
    ...(record.paused === undefined ? {} : { paused: record.paused }),
    clock: record.clock,
    ...(record.forecast === undefined ? {} : { forecastMs: record.forecast.totalMs }),
    ...(achieved === undefined ? {} : { achievedRtoMs: achieved }),
    ...(loss === undefined ? {} : { loss }),
    exceptions: record.exceptions.length,
    ...(record.endedAt === undefined ? {} : { endedAt: record.endedAt }),
  };
}

/** Steps that stand still: for a person, or for a worker that does not answer. */
function waitingSteps({ steps }: RunRecord): WaitingStep[] {
  return steps
    .filter((step) => step.state === 'waiting' || (step.state === 'running' && step.waitsFor !== undefined))
    .map((step) => ({
      step: step.id,
      who: step.state === 'waiting' ? ('person' as const) : ('worker' as const),
      for: step.waitsFor ?? '',
      error: step.error?.message ?? '',
      ...(step.error?.hint === undefined ? {} : { hint: step.error.hint }),
      ...(step.choices === undefined ? {} : { choices: step.choices }),
      ...(step.error?.output === undefined ? {} : { output: step.error.output }),
      ...(step.needsApproval === undefined ? {} : { approval: step.needsApproval }),
    }));
}

/** What exchanges the roles of sites, or makes them. */
function exchangeText({ runbook, mode }: RunRecord): string | undefined {
  if (runbook === 'failover') return `${mode} failover`;
  return runbook === 'replicate' ? 'standby' : undefined;
}
