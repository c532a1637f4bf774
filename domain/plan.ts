import type { Abandoned } from './abandoned.ts';
import type { ApprovalPolicy } from './approvals.ts';
import type { PlannedCriterion } from './criteria.ts';
import type { DrillPlan } from './drill.ts';
import type { EarlierRun, FailoverPlan, NextRun, ReplicatePlan } from './failover.ts';
import type { Objectives, Tier } from './objectives.ts';
import type { StoreLoss } from './loss.ts';
import type { LostItems } from './lost-items.ts';
import type { StorePoint } from './points.ts';
import type { StoreStanding } from './replication.ts';
import type {
  Forecast,
  LeftOut,
  Recoverable,
  Scenario,
  SetSummary,
  SnapshotSummary,
  StepResult,
  WitnessSummary,
} from './run.ts';
import type { Performance, ServiceFigures } from './service-level.ts';
import type { UsedSnapshots } from './snapshot.ts';

/** A compiled recovery, and what its activities are told: names and numbers, no command, address or secret. */

/** Where recovery of the stores ends. */
export type RecoveryPoint =
  | { readonly kind: 'archive-end' }
  | { readonly kind: 'set' }
  | { readonly kind: 'time'; readonly at: string };

/**
 * Whose workers run a step. `target`, `source` and `gateways` mean every worker of that site or of its Gateways, each
 * for the components that it serves; `lead` is the target site's own worker, `verifier` that of its first Gateway;
 * `inspectors` are the target's workers with the verifier; `others` are those of all further sites; `live` are those of
 * the site that serves while a drill runs.
 */
export type Where =
  | 'lead'
  | 'target'
  | 'source'
  | 'redis'
  | 'database'
  | 'dashboard'
  | 'gateways'
  | 'verifier'
  | 'inspectors'
  | 'pump'
  | 'traffic'
  | 'others'
  | 'live';

/** By `Where`; `live` in drills only. */
export type Workers = Readonly<Record<Exclude<Where, 'live'>, readonly string[]>> & {
  readonly live?: readonly string[];
};

export interface ConfigRef {
  readonly ref: string;
  readonly commit: string;
}

export interface RecoverPlan {
  readonly deployment: string;
  readonly tier: Tier;
  /** 1 is the most urgent; also the priority of the workflow's tasks. */
  readonly priority: number;
  readonly objectives: Objectives;
  readonly from: string;
  readonly to: string;
  /** The failed site is rebuilt where it stands. */
  readonly inPlace: boolean;
  /** Nobody at the source is expected to answer: the start does not wait for its workers. */
  readonly sourceMayBeGone: boolean;
  readonly component?: Recoverable;
  /** Nothing is restored: these services of the component are dead, and are started as they are. */
  readonly asIs?: readonly string[];
  readonly scenario: Scenario;
  /** A set's id, or `latest`; that of a snapshot: its set, with this snapshot and no other. */
  readonly backup: string;
  /** Whether the newest snapshots of the set give Redis and configuration. Absent in plans of earlier versions: none do. */
  readonly snapshots?: 'newest' | 'none';
  /** Where configuration comes from instead of from the set: what was asked for, and the commit that it meant. */
  readonly configRef?: ConfigRef;
  /** Only sets taken before this moment may be chosen; present where the damage has a time. */
  readonly backupBefore?: string;
  readonly point: RecoveryPoint;
  /** Ids of the step table, in its order. */
  readonly steps: readonly string[];
  /** The other ones of the table, with why. */
  readonly leftOut: Readonly<Record<string, LeftOut>>;
  readonly workers: Workers;
  readonly onFailure: 'ask' | 'abort';
  /** The deployment declares whom to tell: people hear of the run. */
  readonly notifies?: true;
  /** Those of its steps before which it waits for people; absent where there are none. */
  readonly approvals?: readonly ApprovalPolicy[];
  /** What must hold at the end, fixed before the start. Absent in plans of earlier versions. */
  readonly criteria?: readonly PlannedCriterion[];
  /** Present where this is a drill: `from` serves all the while, and nothing of it is touched. */
  readonly drill?: DrillPlan;
  /** Present where `to` takes over from `from`, whose stores it follows. */
  readonly failover?: FailoverPlan;
  /** Present where `to` is made to follow `from`. */
  readonly replicate?: ReplicatePlan;
  /** What follows under the same lock, once this has ended well. */
  readonly next?: NextRun;
  /** The next way, where this one cannot be gone to its end: people are offered it; it may name the one after it. */
  readonly otherwise?: NextRun;
}

/** The input of the workflows `recover`, `drill`, `failover` and `replicate`. */
export interface RecoverInput {
  /** Our own id of the run: `rec-20261124-031500-1f2e`; of a drill: `drl-…`. */
  readonly run: string;
  readonly plan: RecoverPlan;
  readonly planDigest: string;
  readonly configDigest: string;
  readonly actor: string;
  readonly reason: string;
  readonly declaredAt: string;
  readonly occurredAt?: string;
  readonly detectedAt?: string;
  /** Those that this one goes on from, first one first. */
  readonly earlier?: readonly EarlierRun[];
}

/** The input of every step's activity. */
export interface StepInput {
  readonly run: string;
  readonly step: string;
  readonly plan: RecoverPlan;
  readonly configDigest: string;
  /** First digits of other digests that will do, because a person has said so during the run. */
  readonly acceptedConfigs?: readonly string[];
  /** Grows with every run of the deployment; an older one is refused by the target. Unix milliseconds. */
  readonly epoch: number;
  /** The activity refuses to begin later than this: its worker was dead while the run went on. */
  readonly notAfter: string;
  /** When the disaster began, as far as the run knows. */
  readonly basisAt: string;
  /** The chosen set, once it is chosen. */
  readonly set?: string;
  /** What is used with it. */
  readonly snapshots?: UsedSnapshots;
  /** It is looked at while its own Gateways use it, as in a simulation: keys may have been added. */
  readonly inUse?: true;
}

export interface CheckBackupResult extends StepResult {
  readonly set: SetSummary;
  readonly forecast: Forecast;
  readonly points: readonly StorePoint[];
}

/** What can be said of a recovery before it starts. */
export interface ForecastAnswer {
  readonly set: string;
  readonly site: string;
  readonly createdAt: string;
  /** Whether the set was proven by restoring it. */
  readonly verified: boolean;
  readonly snapshots: readonly SnapshotSummary[];
  readonly points: readonly StorePoint[];
  readonly forecast: Forecast;
}

/** The input of the workflow `unfence`. */
export interface UnfenceInput {
  readonly deployment: string;
  readonly site: string;
  readonly workers: readonly string[];
  readonly others: readonly { readonly site: string; readonly workers: readonly string[] }[];
  /** Somebody has said that sites which do not answer cannot write. */
  readonly othersAreDown: boolean;
}

/** Whether commits of the site `from` are to wait for its standby `to`. */
export interface CommitsInput {
  readonly deployment: string;
  readonly from: string;
  readonly to: string;
  /** Of `from`. */
  readonly workers: readonly string[];
  readonly wait: boolean;
}

/** Of an approval that counts. */
export interface CheckApprovalResult extends StepResult {
  readonly identity: 'proven' | 'asserted';
  /** Fingerprint of the key, where it is proven. */
  readonly key?: string;
}

export interface StopTargetResult extends StepResult {
  /** The state of each component after the stop. */
  readonly states: Readonly<Record<string, string>>;
}

export interface MeasureLossResult extends StepResult {
  /** Of the stores on the worker's host. */
  readonly losses: readonly StoreLoss[];
  /** By name, as far as it can be told. */
  readonly lostItems?: LostItems;
}

export interface MeasureOutageResult extends StepResult {
  readonly witness: WitnessSummary;
  /** What the witness says of how well clients were served. Absent in histories of earlier versions. */
  readonly performance?: Pick<Performance, 'before' | 'during'>;
}

export interface MeasurePerformanceResult extends StepResult {
  /** Absent where nothing could be sent. */
  readonly figures?: ServiceFigures;
}

export interface CheckReplicasResult extends StepResult {
  readonly standing: readonly StoreStanding[];
}

export interface KeepAbandonedResult extends StepResult {
  /** Of the stores on the worker's host; absent where nothing was given up. */
  readonly abandoned?: Abandoned;
}

/** Where each store stood when the last write was in it. */
export interface StopWritesResult extends StepResult {
  readonly ends: readonly { readonly store: 'redis' | 'database'; readonly position: string }[];
}

/** One that can be followed. */
export interface SourceStore {
  readonly store: 'redis' | 'database';
  /** Of a database. */
  readonly systemIdentifier?: string;
  readonly version?: string;
  readonly bytes?: number;
}

export interface CheckSourceResult extends StepResult {
  readonly stores: readonly SourceStore[];
}
