import type { Approval, NeededApproval, RefusedApproval } from './approvals.ts';
import type { ServedBy, ServedFrom } from './build.ts';
import type { Criterion } from './criteria.ts';
import type { Choice, Decision, Wait } from './decision.ts';
import type { DrillRecord } from './drill.ts';
import type { ErrorClass } from './error-kinds.ts';
import type { ErrorCode } from './error-table.ts';
import type { Abandoned } from './abandoned.ts';
import type { EarlierRun, FailoverMode, OtherWay, Runbook } from './failover.ts';
import type { Acknowledgement } from './tell.ts';
import type { StoreLoss } from './loss.ts';
import type { LostItems } from './lost-items.ts';
import type { Objectives, Tier } from './objectives.ts';
import type { StorePoint } from './points.ts';
import type { StoreStanding } from './replication.ts';
import type { Performance } from './service-level.ts';
import type { SnapshotKind } from './snapshot.ts';

/** One execution of a runbook, as it is shown, reported and kept. Plain JSON: it travels through Temporal. */

export const PHASES = [
  'infrastructure',
  'redis',
  'database',
  'dashboard',
  'gateways',
  'verification',
  'traffic',
  'close-out',
] as const;
export type Phase = (typeof PHASES)[number];

export const COMPONENTS = ['redis', 'database', 'dashboard', 'gateway', 'pump', 'traffic'] as const;
export type Component = (typeof COMPONENTS)[number];

/** Components with a runbook of their own: the guide's component procedures. */
export const RECOVERABLE = [
  'redis',
  'database',
  'dashboard',
  'gateway',
] as const satisfies readonly Component[];
export type Recoverable = (typeof RECOVERABLE)[number];

export const SCENARIOS = ['infrastructure', 'corruption', 'network', 'regional', 'human-error'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export type Outcome =
  | 'RECOVERED'
  | 'RECOVERED_WITH_EXCEPTIONS'
  // Of a tabletop, in which nothing is recovered.
  | 'WALKED_THROUGH'
  | 'WALKED_THROUGH_WITH_GAPS'
  // Of a site that was made to follow another: nothing was recovered either.
  | 'REPLICATED'
  | 'REPLICATED_WITH_EXCEPTIONS'
  | 'FAILED_UNDONE'
  | 'STUCK'
  | 'ABORTED'
  | 'REFUSED';

export const OUTCOME_CLASS: Readonly<Record<Outcome, ErrorClass>> = {
  RECOVERED: 'recovered',
  RECOVERED_WITH_EXCEPTIONS: 'exceptions',
  WALKED_THROUGH: 'recovered',
  WALKED_THROUGH_WITH_GAPS: 'exceptions',
  REPLICATED: 'recovered',
  REPLICATED_WITH_EXCEPTIONS: 'exceptions',
  FAILED_UNDONE: 'failed',
  ABORTED: 'failed',
  STUCK: 'stuck',
  REFUSED: 'refused',
};

/** What one check showed. `not-measured` is never a pass. */
export interface Proof {
  readonly name: string;
  readonly verdict: 'pass' | 'fail' | 'not-measured';
  readonly expected: string;
  readonly actual: string;
  readonly tier?: Tier;
}

/** What every step returns: a sentence for people, and its proofs. */
export interface StepResult {
  readonly summary: string;
  readonly proofs?: readonly Proof[];
  /** True where the step found its effect already there and did nothing. */
  readonly observed?: boolean;
  /** Something that a plain `RECOVERED` must not hide. */
  readonly exception?: string;
  /** To which moment it has brought its store. */
  readonly reached?: StorePoint;
  /** Who has answered: each worker that it was called on. */
  readonly servedBy?: readonly ServedBy[];
}

/** What travels with the failure of a step, besides its code and message. */
export interface FailureDetails {
  readonly hint: string;
  readonly proofs?: readonly Proof[];
  /** The last lines of what a tool wrote, at most 4 KiB, without secrets. */
  readonly output?: string;
  readonly servedBy?: readonly ServedBy[];
}

/** `skipped` and `by-hand` are a person's decisions: a run with such a step is never plainly `RECOVERED`. */
export type StepState =
  'pending' | 'running' | 'waiting' | 'done' | 'skipped' | 'by-hand' | 'failed' | 'not-part';

/** The steps after it may begin. */
export function hasEnded({ state }: Pick<StepRecord, 'state'>): boolean {
  return state === 'done' || state === 'skipped' || state === 'by-hand' || state === 'not-part';
}

export interface StepError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly at: string;
  /** The last lines of what a tool wrote; without secrets. */
  readonly output?: string;
}

/** Why a step is left out: what the plan has looked at, in this order. */
export type LeftOut =
  | 'drill'
  | 'strategy'
  | 'mode'
  | 'deployment'
  | 'component'
  | 'as-is'
  | 'in-place'
  | 'elsewhere'
  | 'scenario';

export interface StepRecord {
  readonly id: string;
  readonly phase: Phase;
  state: StepState;
  /** Why it is `not-part`. */
  readonly notPartOf?: LeftOut;
  startedAt?: string;
  endedAt?: string;
  /** How often the step was called, by itself and by people. */
  calls: number;
  summary?: string;
  error?: StepError;
  queue?: string;
  /** What it stands still for: a person's decision, or a worker that does not answer. */
  waitsFor?: string;
  /** What a person may decide about it now. */
  choices?: readonly Choice[];
  /** What it waits for before it begins. */
  needsApproval?: NeededApproval;
  /** Steps that it needs and that a person has skipped or made by hand. */
  reliesOn?: readonly string[];
  /** Since when no worker has taken it; it is called again until one does. */
  awaySince?: string;
  /** When one took it after all, the last time. */
  cameBackAt?: string;
}

export interface PhaseRecord {
  readonly phase: Phase;
  readonly budgetMs: number;
  startedAt?: string;
  endedAt?: string;
  overranAt?: string;
}

export const CLOCK_POINTS = [
  'occurred',
  'detected',
  'declared',
  'started',
  'data restored',
  'traffic verified',
  'component verified',
] as const;
export type ClockPointName = (typeof CLOCK_POINTS)[number];

export interface ClockPoint {
  readonly name: ClockPointName;
  readonly at: string;
  /** Who or what says so. */
  readonly source: string;
}

export interface Alarm {
  readonly at: string;
  readonly text: string;
}

export interface Forecast {
  readonly totalMs: number;
  readonly parts: readonly {
    readonly name: string;
    readonly durationMs: number;
    readonly arithmetic: string;
  }[];
}

export interface SetSummary {
  readonly set: string;
  readonly site: string;
  readonly createdAt: string;
  readonly verified: boolean;
  readonly bytes: number;
  readonly redisKeys?: number;
  readonly databaseBytes?: number;
  readonly versions: Readonly<Record<string, string>>;
  /** What is used with it instead of its own part; absent in records of earlier versions. */
  readonly snapshots?: readonly SnapshotSummary[];
}

export interface SnapshotSummary {
  readonly kind: SnapshotKind;
  readonly snapshot: string;
  readonly createdAt: string;
  readonly verified: boolean;
}

/** The outage as a client outside saw it. Status 0 (no answer), 404 and 5xx are failures. */
export interface WitnessSummary {
  readonly requests: number;
  readonly failed: number;
  /** First and last failed request; absent where none failed. */
  readonly firstFailedAt?: string;
  readonly lastFailedAt?: string;
  /** Requests per bucket, oldest first. */
  readonly bucketMs: number;
  readonly buckets: readonly { readonly at: string; readonly ok: number; readonly failed: number }[];
}

export interface RunRecord {
  readonly format: 'tyk-dr/run/v1';
  readonly run: string;
  readonly runbook: Runbook;
  /** Of a failover. */
  readonly mode?: FailoverMode;
  /** Those that it goes on from, under one lock. */
  readonly earlier?: readonly EarlierRun[];
  abandoned?: Abandoned;
  /** What people may decide for where this run cannot go on. */
  readonly otherwise?: OtherWay;
  readonly workflowId: string;
  readonly deployment: string;
  readonly tier: Tier;
  readonly from: string;
  readonly to: string;
  readonly component?: Component;
  readonly scenario: Scenario;
  readonly reason: string;
  readonly actor: string;
  readonly configDigest: string;
  readonly planDigest: string;
  /** Where the configuration came from, where that was not the set. */
  readonly configRef?: { readonly ref: string; readonly commit: string };
  readonly objectives: Objectives;
  forecast?: Forecast;
  witness?: WitnessSummary;
  /** Before and during it by the witness, after it by a load of our own; what is absent was not measured. */
  performance?: Performance;
  /** What each store has lost; absent where nobody has measured it. */
  losses?: readonly StoreLoss[];
  /** By name, as far as it can be told. */
  lostItems?: LostItems;
  set?: SetSummary;
  /** Criterion by criterion, with the limits of the plan. */
  criteria?: readonly Criterion[];
  /** Of the stores of both sites, as the run saw them last. */
  replicas?: readonly StoreStanding[];
  /** Present where the run is a drill. */
  drill?: DrillRecord;
  /** Of the stores that the run restores. */
  points?: readonly StorePoint[];
  clock: ClockPoint[];
  phases: PhaseRecord[];
  steps: StepRecord[];
  proofs: (Proof & { readonly step: string })[];
  exceptions: string[];
  decisions: Decision[];
  /** Records of earlier versions lack these two. */
  approvals?: Approval[];
  refusedApprovals?: RefusedApproval[];
  waits: Wait[];
  alarms: Alarm[];
  /** Who has said that they have heard. */
  acknowledgements?: Acknowledgement[];
  /** Present while it is paused: no further step begins. */
  paused?: Decision;
  /** Which builds have served it, in the order in which they first answered; absent in records of earlier versions. */
  builds?: ServedFrom[];
  /** What state each component of the target is in, where the run ended before its time. */
  componentStates?: Record<string, string>;
  outcome?: Outcome;
  error?: StepError;
  endedAt?: string;
}
