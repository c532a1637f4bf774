import type { ErrorCode } from './error-table.ts';
import type { RecoverPlan } from './plan.ts';
import type { Outcome } from './run.ts';
import type { Strategy } from './strategy.ts';

/** What a plan says besides where it exchanges the roles of two sites, or makes one follow the other. */

export const FAILOVER_MODES = ['graceful', 'forced'] as const;
export type FailoverMode = (typeof FAILOVER_MODES)[number];

export interface FailoverPlan {
  /** graceful: the source is there, and nothing may be lost; forced: it is given up. */
  readonly mode: FailoverMode;
  readonly strategy: Strategy;
  /** The standby may be this far behind before people have to say so, milliseconds. */
  readonly maxLagMs: number;
  /** Somebody has said that a lag which is larger, or not known, will do. */
  readonly acceptLoss?: true;
}

export interface ReplicatePlan {
  readonly strategy: Strategy;
  readonly synchronous: boolean;
  /** So many Gateways of a warm standby run; absent: all. */
  readonly gateways?: number;
  /** Of a hot one: its share of the clients. */
  readonly sharePercent: number;
}

/** A run that follows under the same lock. */
export interface NextRun {
  readonly run: string;
  readonly plan: RecoverPlan;
  readonly planDigest: string;
}

/** A way that people may take instead, as the record has it. */
export interface OtherWay {
  readonly run: string;
  readonly runbook: Runbook;
  readonly to: string;
}

/** For people. */
export const otherWayText = ({ runbook, to }: OtherWay): string =>
  runbook === 'failover' ? `fail over to ${to}` : `recover on ${to} from the backup`;

/** How much may be lost is for people to decide; it is known before anything is touched. */
export const isAboutLag = (error: ErrorCode): boolean => error === 'LAG_TOO_LARGE' || error === 'LAG_UNKNOWN';

/** The workflows that keep the record of a run, by name. */
export const RUNBOOKS = ['recover', 'drill', 'failover', 'replicate'] as const;
export type Runbook = (typeof RUNBOOKS)[number];

export const isRunbook = (workflow: string): workflow is Runbook =>
  (RUNBOOKS as readonly string[]).includes(workflow);

/** A run that this one goes on from, as its report has it. */
export interface EarlierRun {
  readonly run: string;
  readonly runbook: Runbook;
  readonly from: string;
  readonly to: string;
  readonly outcome: Outcome;
  /** Absent where it had no clock. */
  readonly rtoMs?: number;
  readonly exceptions: readonly string[];
}

/** The stem of a plan: its workflow, its table of steps, its title. */
export function runbookOf(plan: {
  readonly drill?: unknown;
  readonly failover?: unknown;
  readonly replicate?: unknown;
}): Runbook {
  if (plan.drill !== undefined) return 'drill';
  if (plan.failover !== undefined) return 'failover';
  return plan.replicate === undefined ? 'recover' : 'replicate';
}
