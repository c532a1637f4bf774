import {
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleDescription,
  type ScheduleOptions,
} from '@temporalio/client';
import type { CalendarLaunch } from '../../domain/calendar-launch.ts';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import {
  scheduleId,
  SCHEDULE_NAMES,
  type LaunchInput,
  type ScheduleConfig,
  type ScheduleName,
} from '../../domain/schedules.ts';
import { DrError } from '../../domain/errors.ts';

/** Our schedules in Temporal: one for each deployment and kind, with our mark. Others are never touched. */

export interface WantedSchedule {
  readonly deployment: string;
  readonly kind: ScheduleName;
  readonly config: ScheduleConfig;
  readonly timezone: string;
  /** The workflow that it starts, and what that is told. */
  readonly workflow: string;
  readonly launch: LaunchInput | CalendarLaunch;
}

/** What one of ours does, as words that can be compared and shown. */
export interface ScheduleFacts {
  readonly when: string;
  readonly jitterMs: number;
  readonly catchUpMs: number;
  readonly overlap: string;
  readonly timezone: string;
  readonly starts: string;
}

export interface FoundSchedule {
  readonly kind: ScheduleName;
  readonly facts: ScheduleFacts;
  readonly paused: boolean;
  readonly nextAt?: string;
  /** The newest run that it started, begun when. */
  readonly lastAt?: string;
}

const MARK = 'tykDr';

export function factsOf({ config, timezone, launch }: WantedSchedule): ScheduleFacts {
  const { every, cron, jitter, catchUp } = config;
  return {
    when: every === undefined ? `cron ${cron}` : `every ${every} ms`,
    jitterMs: jitter,
    catchUpMs: catchUp,
    overlap: ScheduleOverlapPolicy.SKIP,
    // Intervals know no time zone.
    timezone: every === undefined ? timezone : 'UTC',
    starts: JSON.stringify(launch),
  };
}

/** Every kind that Temporal has for the deployment. @throws DrError SCHEDULE_FOREIGN for one that has our name only. */
export async function findSchedules(client: Client, deployment: string): Promise<FoundSchedule[]> {
  const found = await Promise.all(SCHEDULE_NAMES.map((kind) => findSchedule(client, deployment, kind)));
  return found.filter((each) => each !== undefined);
}

async function findSchedule(
  client: Client,
  deployment: string,
  kind: ScheduleName,
): Promise<FoundSchedule | undefined> {
  const id = scheduleId(deployment, kind);
  try {
    const description = await client.schedule.getHandle(id).describe();
    if (description.memo?.[MARK] !== deployment) throw new DrError('SCHEDULE_FOREIGN', { id });
    const { info, state } = description;
    const next = info.nextActionTimes[0];
    const last = info.recentActions.at(-1)?.takenAt;
    return {
      kind,
      facts: describedFacts(description),
      paused: state.paused,
      ...(next && !state.paused ? { nextAt: next.toISOString() } : {}),
      ...(last ? { lastAt: last.toISOString() } : {}),
    };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

function describedFacts({ spec, policies, action }: ScheduleDescription): ScheduleFacts {
  const interval = spec.intervals?.[0];
  // Temporal keeps a cron expression as a calendar; its comment is how it was written.
  const calendar = spec.calendars?.[0];
  const several = (spec.intervals?.length ?? 0) + (spec.calendars?.length ?? 0) > 1;
  const when = several
    ? 'several times'
    : interval
      ? `every ${interval.every} ms${interval.offset ? ` from ${interval.offset} ms` : ''}`
      : `cron ${calendar?.comment || 'changed by hand'}`;
  return {
    when,
    jitterMs: spec.jitter ?? 0,
    catchUpMs: policies.catchupWindow,
    overlap: policies.overlap ?? ScheduleOverlapPolicy.SKIP,
    timezone: spec.timezone || 'UTC',
    starts: JSON.stringify(action.args?.[0] ?? null),
  };
}

export async function createSchedule(client: Client, wanted: WantedSchedule): Promise<void> {
  const { deployment, kind } = wanted;
  await client.schedule.create({
    scheduleId: scheduleId(deployment, kind),
    memo: { [MARK]: deployment, kind },
    ...optionsOf(wanted),
  });
}

/** One that somebody has paused stays paused, with the note that says why. */
export async function updateSchedule(client: Client, wanted: WantedSchedule): Promise<void> {
  const handle = client.schedule.getHandle(scheduleId(wanted.deployment, wanted.kind));
  await handle.update(({ state }) => ({ ...optionsOf(wanted), state }));
}

export async function removeSchedule(client: Client, deployment: string, kind: ScheduleName): Promise<void> {
  await client.schedule.getHandle(scheduleId(deployment, kind)).delete();
}

type Options = Pick<ScheduleOptions, 'spec' | 'policies'> & {
  readonly action: ScheduleOptions['action'];
};

function optionsOf({ deployment, kind, config, timezone, workflow, launch }: WantedSchedule): Options {
  const { every, cron, jitter, catchUp } = config;
  return {
    spec: {
      ...(every === undefined
        ? { cronExpressions: [`${cron} # ${cron}`], timezone }
        : { intervals: [{ every }] }),
      jitter,
    },
    action: {
      type: 'startWorkflow',
      workflowType: workflow,
      workflowId: `launch/${deployment}/${kind}`,
      taskQueue: WORKFLOW_QUEUE,
      args: [launch],
      staticSummary: `Schedule ${kind} of ${deployment}`,
    },
    // Two at a time would only wait for each other.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: catchUp },
  };
}
