/** What the monitor of a deployment is told, what its observers answer, and what it shows. Plain JSON, names only. */

export const monitorId = (deployment: string): string => `monitor/${deployment}`;

export const MONITOR_QUERY = 'standing';
/** Updates. */
export const MONITOR_PAUSE = 'pause';
export const MONITOR_RESUME = 'resume';
export const MONITOR_STOP = 'stop';

/** Who has started what the monitor starts: no person, so that every approver counts. */
export const MONITOR_ACTOR = 'monitor';

export const MONITOR_STATES = ['healthy', 'degraded', 'suspect', 'failed'] as const;
export type MonitorState = (typeof MONITOR_STATES)[number];

/**
 * Durations in milliseconds. One observer never decides: `quorum` is at least 2, and more than half of the observers.
 */
export interface MonitorRules {
  readonly quorum: number;
  /** Another site serves clients as well: that they are served says nothing about this one. */
  readonly shared?: true;
  readonly failAfterMs: number;
  readonly recoverAfterMs: number;
  readonly flapping: { readonly changes: number; readonly withinMs: number };
}

/** What is looked at of a site. */
export const WATCHED = ['redis', 'database', 'dashboard', 'gateway', 'pump'] as const;
export type Watched = (typeof WATCHED)[number];

/**
 * `ailing` answers, and says itself that it cannot serve; `unseen` is out of this observer's reach by the
 * configuration, which says nothing about it.
 */
export type Seen = 'up' | 'ailing' | 'down' | 'unseen';

export interface PartView {
  readonly component: Watched;
  /** `gateway gw1`. */
  readonly name: string;
  readonly seen: Seen;
  /** It runs on this observer's own host, whose word counts most. */
  readonly own?: true;
  readonly why?: string;
}

/** What one observer sees of the site that serves. */
export interface View {
  readonly observer: string;
  /** By the observer's clock, UTC ISO. */
  readonly at: string;
  /** False where it reaches nothing at all: then it suspects itself, and does not count. */
  readonly sighted: boolean;
  /** The clients' address; `unseen` where none is configured. */
  readonly outside: { readonly seen: Exclude<Seen, 'ailing'>; readonly why?: string };
  readonly parts: readonly PartView[];
  /** What holds the deployment's lock: a run, or the type of the workflow. */
  readonly lock?: string;
}

/** What an observer is shown to see of the clients' address, or why it does not count. */
export const OBSERVED = ['up', 'down', 'unseen', 'blind', 'silent', 'not asked yet'] as const;
export type Observed = (typeof OBSERVED)[number];

/** One observer, with what it has said last; none while it is silent. */
export interface Voice {
  readonly observer: string;
  readonly view?: View;
}

/** The input of the activity `observe-site`. */
export interface ObserveInput {
  readonly deployment: string;
  /** The site that serves. */
  readonly site: string;
  readonly intervalMs: number;
  /** Answers after this long although nothing has changed; at once where it is 0. */
  readonly forMs: number;
  /** The fingerprint of the view that the monitor has: it answers as soon as its own is another. */
  readonly known?: string;
}

/** What of a view must differ to be news: no times, no wording. */
export function fingerprint({ sighted, outside, parts, lock }: View): string {
  return JSON.stringify([sighted, outside.seen, parts.map(({ name, seen }) => [name, seen]), lock ?? '']);
}

/** One worker's answer about the sites that it serves. */
export interface LiveAnswer {
  readonly site: string;
  readonly live: boolean;
  /** Or made a standby of another, which lowers its fence: either way it has been given up. */
  readonly fenced: boolean;
  readonly summary: string;
}

/**
 * How far the site to go to is behind, and whether the other can be kept from writing. The answer of the activity
 * `replication-standing`, asked of the target's workers; what is not known stops an automatic start.
 */
export interface ReplicationStanding {
  readonly stores: readonly { readonly store: string; readonly lagMs?: number; readonly why?: string }[];
  readonly fencePossible: boolean;
  readonly why?: string;
}

export interface Heal {
  readonly component: Watched;
  readonly names: readonly string[];
  readonly run: string;
  /** UTC ISO. */
  readonly at: string;
  /** It has been seen alive since. */
  readonly curedAt?: string;
}

/** What was done about a failed site, once. */
export interface Acted {
  readonly what: 'notify' | 'propose' | 'start';
  readonly at: string;
  readonly run?: string;
  /** Why it was not more. */
  readonly why?: string;
}

export interface MonitorPause {
  readonly actor: string;
  readonly reason: string;
  readonly at: string;
  readonly until: string;
}

/** The argument of the updates; `forMs` of a pause only. */
export interface MonitorArgs {
  readonly actor: string;
  readonly reason: string;
  readonly forMs?: number;
}

/** What outlives the workflow's history, and a stop. */
export interface MonitorMemory {
  readonly serving?: string;
  readonly heals: readonly Heal[];
  /** When recoveries were started by themselves. */
  readonly starts: readonly string[];
}

/** The whole input of the workflow `monitor`, but for its plans' shape. */
export interface MonitorSettings {
  readonly deployment: string;
  readonly sites: readonly { readonly site: string; readonly workers: readonly string[] }[];
  /** Of drills: never gone to. */
  readonly drillSite?: string;
  readonly observers: readonly string[];
  readonly rules: MonitorRules;
  readonly intervalMs: number;
  readonly onFailure: Acted['what'];
  readonly heal?: { readonly perHour: number; readonly afterMs: number };
  readonly budgetPerDay: number;
  readonly to?: string;
  readonly rpoMs: number;
  readonly priority: number;
  /** Who has started it, and why. */
  readonly actor: string;
  readonly reason: string;
}

/** What the monitor shows: in its memo, to its query, in Temporal's UI. */
export interface MonitorSummary {
  readonly deployment: string;
  /** `suspect` also where it is not known which site serves. */
  readonly state: MonitorState;
  readonly since: string;
  readonly reasons: readonly string[];
  /** The site that serves; absent while nobody knows. */
  readonly serving?: string;
  readonly flapping?: true;
  readonly quorum: number;
  readonly onFailure: Acted['what'];
  readonly observers: readonly { readonly observer: string; readonly sees: Observed }[];
  /** A run under way: no decision is taken while it is. */
  readonly held?: string;
  readonly paused?: MonitorPause;
  readonly acted?: Acted;
  readonly heals: readonly Heal[];
  readonly starts: readonly string[];
}
