import type { ErrorClass } from './error-kinds.ts';
import type { Tier } from './objectives.ts';
import type { RecoverInput } from './plan.ts';
import { OUTCOME_CLASS, type Outcome, type Scenario } from './run.ts';

/** Several deployments that have lost the same site: who is recovered when, and what came of it. Plain JSON. */

/** One fleet at a time for a lost site. */
export const fleetId = (site: string): string => `fleet/${site}`;

/** One deployment of it: waits for its turn, and then runs the runbook under the lock of the deployment. */
export const turnId = (site: string, deployment: string): string => `fleet/${site}/${deployment}`;

/** The fleet of a turn, by its workflow's id; undefined where it is none. */
export function fleetOfTurn(workflowId: string | undefined): string | undefined {
  return /^(fleet\/[^/]+)\/[^/]+$/.exec(workflowId ?? '')?.[1];
}

export const FLEET_QUERY = 'fleet';
export const FLEET_STOP = 'stop';
export interface StopFleetArgs {
  readonly actor: string;
  readonly reason: string;
}
export const FLEET_SIGNALS = {
  /** A deployment asks for its turn. */
  ask: 'ask',
  /** Its run stands still for people, or goes on. */
  standing: 'standing',
  ended: 'ended',
  /** To the turn: begin, or never. */
  go: 'go',
} as const;

/** Runbooks that a fleet can run; each is a workflow of this name that takes a `RecoverInput`. */
export type FleetRunbook = 'recover' | 'failover';

/** How many runs at the same time. */
export interface FleetLimits {
  readonly all: number;
  /** On one target site. */
  readonly perSite: number;
  /** That read from one backup repository. */
  readonly perRepository: number;
  /** That one worker restores for. */
  readonly perWorker: number;
}

/** What a deployment asks its turn with. */
export interface Asking {
  readonly deployment: string;
  readonly run: string;
  readonly tier: Tier;
  /** 1 is the most urgent. */
  readonly priority: number;
  /** From when its RTO counts. */
  readonly basisAt: string;
  readonly rtoMs: number;
  /** Absent in fleets of earlier versions. */
  readonly rpoMs?: number;
  readonly to: string;
  /** Those that restore its data. */
  readonly workers: readonly string[];
  /** Stands for the place of its backup sets, without telling it. */
  readonly repository: string;
  /** From its start to verified traffic, milliseconds; absent where nobody could say. */
  readonly expectedMs?: number;
}

export interface Ending {
  /** `NOT_STARTED`: there was no run, or none of ours. */
  readonly outcome: Outcome | 'NOT_STARTED';
  /** From the basis of its RTO to verified traffic, milliseconds; absent where that was not reached. */
  readonly achievedRtoMs?: number;
  /** Over all stores, milliseconds; absent where nobody has measured it. */
  readonly lost?: { readonly minMs: number; readonly maxMs: number };
  /** Why it is not recovered. */
  readonly error?: string;
}

/** `person`: its run waits for one, and holds no place meanwhile. */
export type MemberState = 'queued' | 'running' | 'person' | 'ended';

export interface FleetMember extends Asking {
  state: MemberState;
  readonly askedAt: string;
  startedAt?: string;
  /** What the person is to do. */
  waitsFor?: string;
  endedAt?: string;
  ending?: Ending;
}

/** A deployment that was not taken in, and why. */
export interface NotTaken {
  readonly deployment: string;
  readonly tier: Tier;
  /** `left-out`: the loss of the site does not concern it. The others are not recovered by this fleet. */
  readonly kind: 'left-out' | 'refused' | 'locked';
  readonly why: string;
}

/** The input of the workflow `fleet`. */
export interface FleetInput {
  readonly site: string;
  readonly runbook: FleetRunbook;
  readonly scenario: Scenario;
  readonly actor: string;
  readonly reason: string;
  readonly declaredAt: string;
  readonly occurredAt?: string;
  readonly detectedAt?: string;
  readonly limits: FleetLimits;
  /** How many of each priority are about to ask: nobody goes before a more urgent one that is still on its way. */
  readonly coming: Readonly<Record<number, number>>;
  readonly notTaken: readonly NotTaken[];
  /** Some of them declare whom to tell; absent in fleets of earlier versions. */
  readonly notifies?: boolean;
}

export interface FleetRecord extends FleetInput {
  readonly format: 'tyk-dr/fleet/v1';
  readonly startedAt: string;
  /** In the order in which they asked. */
  readonly members: FleetMember[];
  /** Whoever was to come has had the time to. */
  allHere: boolean;
  stopped?: { readonly actor: string; readonly reason: string; readonly at: string };
  /** Whom people were told of. */
  told?: { readonly begunAt: string; readonly late: readonly string[] };
  endedAt?: string;
}

/** The input of the workflow `turn`. */
export interface TurnInput {
  /** Workflow id. */
  readonly fleet: string;
  readonly runbook: FleetRunbook;
  readonly asking: Asking;
  readonly input: RecoverInput;
  /** A drill of this run holds the lock, and was told to end: its tear-down is waited for. */
  readonly afterDrill?: string;
}

/** How many still miss of those that were to come. */
export function missing({ coming, members }: Pick<FleetRecord, 'coming' | 'members'>): Map<number, number> {
  const missed = new Map(Object.entries(coming).map(([priority, count]) => [Number(priority), count]));
  for (const { priority } of members) missed.set(priority, (missed.get(priority) ?? 0) - 1);
  return new Map([...missed].filter(([, count]) => count > 0));
}

const SEVERITY = ['recovered', 'exceptions', 'failed', 'stuck'] as const;

/** The worst of all. Whoever is not recovered counts as failed; what the loss does not concern does not count. */
export function fleetClass({ members, notTaken }: Pick<FleetRecord, 'members' | 'notTaken'>): ErrorClass {
  const classes = [
    ...members.map(({ ending }) => classOf(ending)),
    ...notTaken.flatMap(({ kind }) => (kind === 'left-out' ? [] : ['failed' as const])),
  ];
  return SEVERITY[Math.max(0, ...classes.map((name) => SEVERITY.indexOf(name)))]!;
}

function classOf(ending: Ending | undefined): (typeof SEVERITY)[number] {
  if (ending === undefined || ending.outcome === 'NOT_STARTED') return 'failed';
  const name = OUTCOME_CLASS[ending.outcome];
  return name === 'recovered' || name === 'exceptions' || name === 'stuck' ? name : 'failed';
}
