import type { WantedSchedule } from '../adapters/temporal/schedules.ts';
import type { SiteWorkers } from '../domain/backup.ts';
import { CALENDAR_KINDS, isTechnical } from '../domain/calendar-kinds.ts';
import type { Deployment } from '../domain/config.ts';
import type { CalendarInForce } from '../domain/journal.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import { CALENDAR_SCHEDULES } from '../domain/schedules.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** The part of the schedules that drills, reviews and audits have: what Temporal is to have, and what counts as due. */

export function calendarSchedules(
  name: string,
  deployment: Deployment,
  sites: readonly SiteWorkers[],
): WantedSchedule[] {
  const calendar = deployment.drill?.schedules;
  if (!calendar) return [];
  const { priority } = TIER_DEFAULTS[deployment.tier];
  return CALENDAR_KINDS.flatMap((kind): WantedSchedule[] => {
    const own = calendar[kind];
    if (!own) return [];
    return [
      {
        ...{ deployment: name, kind: CALENDAR_SCHEDULES[kind], timezone: calendar.timezone },
        config: { cron: own.cron, jitter: 0, catchUp: own.catchUp },
        workflow: isTechnical(kind) ? 'launchDrill' : 'launchPaper',
        launch: {
          ...{ deployment: name, kind, sites, priority },
          // A drill compiles its plan when it begins, of names alone.
          ...(isTechnical(kind) ? { shape: shapeOf(name, deployment) } : {}),
        },
      },
    ];
  });
}

/** As it goes into the journal when it is put in force. */
export function calendarOf({ drill }: Pick<Deployment, 'drill'>): CalendarInForce {
  const calendar = drill?.schedules;
  const timezone = calendar?.timezone ?? 'UTC';
  const own = CALENDAR_KINDS.flatMap((kind) => {
    const cron = calendar?.[kind]?.cron;
    return cron === undefined ? [] : [[kind, { cron, timezone }] as const];
  });
  return {
    schedules: Object.fromEntries(own),
    lateMs: calendar?.late ?? 0,
    signWithinMs: calendar?.signWithin ?? 0,
  };
}
