import type { RecoverPlan } from './plan.ts';
import type { Recoverable, Scenario } from './run.ts';
import type { TabletopRecord } from './tabletop.ts';

/**
 * A drill: a run in an isolated target, with production untouched. What is planned stands in the plan, what was seen in
 * the record. Plain JSON.
 */

export const DRILL_TYPES = ['tabletop', 'component', 'simulation', 'full'] as const;
export type DrillType = (typeof DRILL_TYPES)[number];

/** Faults that a drill can plant in its own target: it must go red, and for exactly that reason. */
export const PLANTS = [
  'wrong-password',
  'truncated-object',
  'missing-api',
  'revoked-key-works',
  'clock-step',
  'empty-redis',
  'slow-database',
  'unmeasured-watermark',
] as const;
export type Plant = (typeof PLANTS)[number];

/** What no drill ever does: it moves no traffic, gives no site up, and protects nothing that is torn down after it. */
export const NEVER_IN_A_DRILL: readonly string[] = [
  'check-other-sites',
  'fence-source',
  'hold-traffic',
  'place-server-config',
  'switch-traffic',
  'prove-traffic',
  'measure-outage',
  'protect-database',
  'discard-old-data',
];

/** What makes a recovery plan that of a drill. */
export interface DrillPlan {
  readonly type: DrillType;
  readonly scenario: Scenario;
  readonly component?: Recoverable;
  readonly plant?: Plant;
  /** `promote`: after a full drill that has passed, and with its approvals, the deployment is recovered there for good. */
  readonly end: 'teardown' | 'promote';
  /** Of a drill that may be promoted: the recovery that follows it then. */
  readonly promotion?: Promotion;
  /** Longer, and it is stopped and torn down. */
  readonly limitMs: number;
  /** Who is to take part, by role. */
  readonly participants: readonly Participant[];
  /** Where a schedule has started it. */
  readonly scheduled?: ScheduledDrill;
}

export interface Participant {
  readonly role: string;
  readonly person: string;
  /** Whether this person was planned for it, or stands in. */
  readonly deputy?: true;
}

/** A person as people read it. */
export const personText = ({ person, deputy }: { person: string; deputy?: boolean }): string =>
  `${person}${deputy ? ' (deputy)' : ''}`;

export interface Promotion {
  /** The id of the recovery. */
  readonly run: string;
  readonly plan: RecoverPlan;
  readonly planDigest: string;
}

export interface ScheduledDrill {
  readonly schedule: string;
  /** When it was due by the calendar. */
  readonly dueAt: string;
}

/** What a drill has shown besides the recovery itself. */
export interface DrillRecord extends DrillPlan {
  /** Who did take part; those planned where nobody said otherwise. */
  present?: readonly Participant[];
  /** Of a simulation: how long the isolated copy took to build, before it was broken. */
  copyBuiltMs?: number;
  untouched?: Untouched;
  leaks?: Leaks;
  /** What was planted, as it was done. */
  planted?: string;
  plantNoticed?: PlantNoticed;
  /** Of a tabletop: what was asked and said. */
  tabletop?: TabletopRecord;
}

/** The live site before and after, look by look. */
export interface Untouched {
  readonly verdict: 'pass' | 'fail' | 'not-measured';
  readonly looks: readonly {
    readonly what: string;
    readonly before: string;
    readonly after: string;
    readonly verdict: 'pass' | 'fail' | 'not-measured';
  }[];
}

/** What the drill made, and what of it is left. */
export interface Leaks {
  readonly verdict: 'pass' | 'fail' | 'not-measured';
  readonly made: number;
  readonly left: readonly string[];
}

export interface PlantNoticed {
  readonly plant: Plant;
  /** Step or criterion that must go red. */
  readonly expected: string;
  readonly noticed: boolean;
  /** What did go red. */
  readonly by: readonly string[];
}
