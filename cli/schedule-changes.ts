import {
  createSchedule,
  factsOf,
  findSchedules,
  removeSchedule,
  updateSchedule,
  type ScheduleFacts,
  type WantedSchedule,
} from '../adapters/temporal/schedules.ts';
import { formatDuration } from '../domain/duration.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import { SCHEDULE_KINDS, SCHEDULE_NAMES, withWatch, type ScheduleName } from '../domain/schedules.ts';
import { calendarSchedules } from './calendar-schedules.ts';
import { siteWorkers } from './backup-run.ts';
import { deploymentOf, type Door } from './client.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** The schedules that the configuration wants beside those that Temporal has. */

export interface ScheduleChange {
  readonly kind: ScheduleName;
  readonly action: 'create' | 'change' | 'remove' | 'keep';
  /** What differs: `when: every 5 min 00 s -> every 4 min 00 s`. */
  readonly differences: readonly string[];
  readonly paused?: boolean;
}

/** Nobody is told where nothing is configured; the watch still looks. */
const REMIND_MS = 4 * 3_600_000;

function wantedSchedules({ config }: Pick<Door, 'config'>, name: string): WantedSchedule[] {
  const deployment = deploymentOf(config, name);
  const { schedules } = deployment.backup;
  const sites = siteWorkers(name, deployment);
  const { rpoMs } = shapeOf(name, deployment).objectives;
  const remindMs = deployment.notify?.remindEvery ?? REMIND_MS;
  const wanted = withWatch(schedules);
  const own = SCHEDULE_KINDS.flatMap((kind): WantedSchedule[] => {
    const schedule = wanted[kind];
    if (!schedule) return [];
    const { priority } = TIER_DEFAULTS[deployment.tier];
    const launch = {
      deployment: name,
      kind,
      sites,
      rpoMs,
      priority,
      verify: schedule.verify ?? false,
      ...(deployment.backup.copies.length > 0
        ? { copies: deployment.backup.copies.map((copy) => copy.name) }
        : {}),
      remindMs,
    };
    const workflow = kind === 'watch' ? 'watch' : 'launch';
    const timezone = schedules?.timezone ?? 'UTC';
    return [{ deployment: name, kind, config: schedule, timezone, workflow, launch }];
  });
  return [...own, ...calendarSchedules(name, deployment, sites)];
}

type ScheduleDoor = Pick<Door, 'client' | 'config'>;

/** What apply would do. @throws DrError SCHEDULE_FOREIGN */
export function scheduleChanges(door: ScheduleDoor, name: string): Promise<ScheduleChange[]> {
  return applySchedules(door, name, true);
}

/** @returns what differed; after it, unless it was a dry run, nothing does. @throws DrError SCHEDULE_FOREIGN */
export async function applySchedules(
  door: ScheduleDoor,
  name: string,
  dryRun: boolean,
): Promise<ScheduleChange[]> {
  const found = await findSchedules(door.client, name);
  const wanted = wantedSchedules(door, name);
  const changes: ScheduleChange[] = [];
  for (const kind of SCHEDULE_NAMES) {
    const want = wanted.find((each) => each.kind === kind);
    const have = found.find((each) => each.kind === kind);
    if (want && !have) {
      changes.push({ kind, action: 'create', differences: [words(factsOf(want)).when] });
      if (!dryRun) await createSchedule(door.client, want);
    } else if (!want && have) {
      changes.push({ kind, action: 'remove', differences: [words(have.facts).when] });
      if (!dryRun) await removeSchedule(door.client, name, kind);
    } else if (want && have) {
      const differences = differencesOf(have.facts, factsOf(want));
      const action = differences.length > 0 ? 'change' : 'keep';
      changes.push({ kind, action, differences, ...(have.paused ? { paused: true } : {}) });
      if (!dryRun && differences.length > 0) await updateSchedule(door.client, want);
    }
  }
  return changes;
}

function differencesOf(have: ScheduleFacts, want: ScheduleFacts): string[] {
  const [from, to] = [words(have), words(want)];
  return (Object.keys(want) as (keyof ScheduleFacts)[])
    .filter((name) => have[name] !== want[name])
    .map((name) => (name === 'starts' ? 'what it starts' : `${LABELS[name]}: ${from[name]} -> ${to[name]}`));
}

const LABELS: Readonly<Record<keyof ScheduleFacts, string>> = {
  when: 'when',
  jitterMs: 'jitter',
  catchUpMs: 'catch-up',
  overlap: 'overlap',
  timezone: 'time zone',
  starts: 'starts',
};

export function words(facts: ScheduleFacts): Record<keyof ScheduleFacts, string> {
  return {
    ...facts,
    when: facts.when.replace(/(\d+) ms/g, (_, ms: string) => formatDuration(Number(ms))),
    jitterMs: formatDuration(facts.jitterMs),
    catchUpMs: formatDuration(facts.catchUpMs),
  };
}
