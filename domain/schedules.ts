import type { SiteWorkers } from './backup.ts';
import type { CalendarKind } from './calendar-kinds.ts';
import type { Store } from './figures.ts';

/** What can be scheduled. A kind needs one entry here, and one in `workflows/launch.ts` that says what it starts. */

export const SCHEDULABLE = {
  full: { covers: ['redis', 'database', 'config'], purpose: 'A set with a full database backup.' },
  incremental: {
    covers: ['redis', 'database', 'config'],
    purpose: 'A set with an incremental database backup.',
  },
  redis: {
    covers: ['redis'],
    purpose: 'A snapshot of Redis, which belongs to the newest set and is used with it.',
  },
  config: {
    covers: ['config'],
    purpose: 'A snapshot of the configuration, which belongs to the newest set and is used with it.',
  },
  redisAof: {
    covers: ['redis'],
    purpose: 'Ships what the append-only log of Redis has grown by, for a point newer than the last set.',
  },
  copy: {
    covers: [],
    purpose:
      'Ships new WAL to every off-site copy, and the newest set where it is not there yet. Cheap: every minute is fine.',
  },
  keyTest: {
    covers: [],
    purpose: 'Opens a real object of the repository and of every copy with every identity.',
  },
  verify: { covers: [], purpose: 'Proves the newest set by restoring it.' },
  retention: { covers: [], purpose: 'Deletes the sets that backup.keep lets go.' },
  watch: {
    covers: [],
    purpose: 'Looks at what would be lost now, and notifies where it is more than the RPO.',
  },
} as const satisfies Record<string, { covers: readonly Store[]; purpose: string }>;

export type ScheduleKind = keyof typeof SCHEDULABLE;
export const SCHEDULE_KINDS = Object.keys(SCHEDULABLE) as ScheduleKind[];

/** The name of a schedule of the calendar in Temporal: of a drill apart from that of a backup. */
export const CALENDAR_SCHEDULES = {
  component: 'drill-component',
  simulation: 'drill-simulation',
  full: 'drill-full',
  tabletop: 'drill-tabletop',
  review: 'review',
  audit: 'audit',
  handbook: 'handbook',
} as const satisfies Record<CalendarKind, string>;

/** Everything of ours that Temporal may have for a deployment. */
export type ScheduleName = ScheduleKind | (typeof CALENDAR_SCHEDULES)[CalendarKind];
export const SCHEDULE_NAMES: readonly ScheduleName[] = [
  ...SCHEDULE_KINDS,
  ...Object.values(CALENDAR_SCHEDULES),
];

/** One schedule as the configuration has it: `every` or `cron`. Milliseconds. */
export interface ScheduleConfig {
  readonly every?: number | undefined;
  readonly cron?: string | undefined;
  readonly jitter: number;
  readonly catchUp: number;
  /** Of a set: whether it is proven by a restore at once. */
  readonly verify?: boolean | undefined;
}

export type Schedules = Readonly<Partial<Record<ScheduleKind, ScheduleConfig | undefined>>>;

/** Where staleness is to be noticed without saying how often. */
const WATCH: ScheduleConfig = { every: 300_000, jitter: 0, catchUp: 60_000 };

/** With schedules there is always a watch: a schedule that fails in silence is worse than none. */
export function withWatch(schedules: Schedules | undefined): Schedules {
  return schedules ? { ...schedules, watch: schedules.watch ?? WATCH } : {};
}

export const scheduleId = (deployment: string, kind: ScheduleName): string => `tyk-dr/${deployment}/${kind}`;

/** What a schedule hands to the workflow that it starts. Names only: it lies open in Temporal. */
export interface LaunchInput {
  readonly deployment: string;
  readonly kind: ScheduleKind;
  readonly sites: readonly SiteWorkers[];
  readonly rpoMs: number;
  /** Of the deployment's tier, 1 to 4: schedules carry no priority, so the child gets it. */
  readonly priority: number;
  readonly verify: boolean;
  /** The off-site copies that sets and snapshots go to, by name. Absent in schedules of earlier versions. */
  readonly copies?: readonly string[];
  /** What stays out of bounds is told again after this long. */
  readonly remindMs: number;
}
