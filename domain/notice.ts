/** What people outside are told. Nothing in it is secret: it travels through Temporal, e-mail and other people's chats. */

/** Least first. A run and a backup say by it how much it matters that somebody hears of it now. */
export const SEVERITIES = ['info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

interface EventEntry {
  readonly severity: Severity;
  /** Whether somebody has to say that they have heard it; else the next level of contacts is told. */
  readonly acknowledge: boolean;
  readonly purpose: string;
}

/** Everything that people are told of. Of `outcome` the severity is that of the outcome, named in its purpose. */
export const NOTICE_EVENTS = {
  declared: event('warning', true, 'A recovery was started.'),
  'approval-wanted': event('error', true, 'A run waits for the approval of a step.'),
  'decision-wanted': event('critical', true, 'A step has failed for good, and the run waits for a decision.'),
  paused: event('warning', false, 'A run was paused, and waits until it is resumed.'),
  'wait-over': event('info', false, 'The run no longer waits: it was decided, approved or resumed.'),
  'worker-missing': event('error', true, 'A step waits for a worker that does not answer.'),
  'rto-50': event('info', false, 'Half of the RTO is used.'),
  'rto-80': event('warning', false, '80 % of the RTO are used.'),
  'rto-100': event('critical', true, 'The RTO is breached, and traffic is not verified.'),
  'phase-overrun': event('warning', false, 'A phase has taken longer than its share of the RTO.'),
  outcome: event(
    'critical',
    true,
    'A run has ended. RECOVERED is info, RECOVERED_WITH_EXCEPTIONS and REFUSED are warning, every other is critical; only critical ones must be acknowledged.',
  ),
  'not-acknowledged': event(
    'critical',
    false,
    'Nobody has acknowledged in time; the next contacts are told.',
  ),
  'backup-failed': event('error', false, 'A scheduled backup, or the shipping of the log of Redis, failed.'),
  'verify-failed': event('error', false, 'A scheduled verification failed.'),
  'retention-failed': event('warning', false, 'Scheduled retention failed.'),
  'copy-failed': event('error', false, 'A scheduled off-site copy failed.'),
  'keys-failed': event('error', false, 'A scheduled test of the keys failed.'),
  'drill-not-made': event(
    'warning',
    false,
    'A drill of the calendar was skipped or deferred, or could not be started.',
  ),
  'drill-due': event(
    'info',
    false,
    'A tabletop or an audit is due, or a review is to be signed: people have to do it.',
  ),
  stale: event('error', false, 'A store would lose more than its RPO allows, or nobody can measure it.'),
  'standby-behind': event(
    'error',
    false,
    'Nobody follows the site that serves, a standby is further behind than it may be, or what is kept for it is lost.',
  ),
  'standby-level': event('info', false, 'A standby follows again as it should.'),
  'site-failed': event(
    'critical',
    false,
    'The monitor has found the site that serves failed; it says what it has done. Told again while it lasts.',
  ),
  'site-suspect': event(
    'error',
    false,
    'The monitor suspects the site that serves, or does not know which one does.',
  ),
  'site-degraded': event(
    'warning',
    false,
    'Clients are served, and something is broken: a component, or the eyes of the monitor.',
  ),
  'site-healthy': event('info', false, 'The site that serves is healthy again.'),
  'fleet-begun': event(
    'warning',
    false,
    'Several deployments that have lost a site are recovered as one fleet.',
  ),
  'fleet-late': event(
    'critical',
    false,
    'Critical deployments of a fleet are too late for their RTO, or will be; each is told once.',
  ),
  'fleet-ended': event(
    'critical',
    false,
    'A fleet has ended. All recovered is info, some with exceptions is warning, any that is not recovered is critical.',
  ),
  'fresh-again': event('info', false, 'Every store is within its RPO again.'),
} as const satisfies Record<string, EventEntry>;

function event(severity: Severity, acknowledge: boolean, purpose: string): EventEntry {
  return { severity, acknowledge, purpose };
}

export type NoticeEvent = keyof typeof NOTICE_EVENTS;
export const NOTICE_EVENT_NAMES = Object.keys(NOTICE_EVENTS) as NoticeEvent[];

export interface Notice {
  readonly event: NoticeEvent;
  readonly severity: Severity;
  readonly deployment: string;
  /** UTC ISO. */
  readonly at: string;
  /** One line. */
  readonly title: string;
  readonly lines: readonly string[];
  /** The run, the set or the schedule that it is about. */
  readonly about: string;
  /** What it begins: an incident of this key stays open until a notice closes it. */
  readonly opens?: string;
  /** Incidents that are over with it. */
  readonly closes?: readonly string[];
}

export interface NoticeResult {
  /** Channels, by their name in the configuration; people in brackets. */
  readonly sent: readonly string[];
  readonly failed: readonly string[];
}

/** One channel that is to be told. */
export interface NoticeTarget {
  readonly channel: string;
  /** Of e-mail, instead of the channel's own recipients. */
  readonly to?: readonly string[];
  /** Whose configuration has the channel; default the notice's own deployment. */
  readonly deployment?: string;
  /** It only closes incidents there: no route leads the notice to this channel. */
  readonly closesOnly?: boolean;
}

/** Whom a notice concerns, as the configuration of a worker has it. */
export interface NoticeRoute {
  readonly targets: readonly NoticeTarget[];
  /** The contacts of this level, in words. */
  readonly people: readonly string[];
  /** Where somebody has to acknowledge: whom to tell when, and who they are. */
  readonly next?: { readonly level: number; readonly afterMs: number };
}

/** An incident's key, the same wherever it is opened or closed. */
export const incidentKey = (deployment: string, ...rest: readonly string[]): string =>
  ['tyk-dr', deployment, ...rest].join('/').slice(0, 250);
