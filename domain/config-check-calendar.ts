import { isEndless, shownOf } from './blackout.ts';
import { CALENDAR_KINDS, TECHNICAL } from './calendar-kinds.ts';
import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { longestGapMs, parseCron } from './cron.ts';

/** Calendars in which nothing is ever due, or nothing may ever begin. */
export function calendarIsSound({ drill }: Deployment): ConfigProblem[] {
  const calendar = drill?.schedules;
  if (!calendar) return [];
  const path = ['drill', 'schedules'];
  const never = CALENDAR_KINDS.filter((kind) => {
    const cron = parseCron(calendar[kind]?.cron ?? '');
    return typeof cron !== 'string' && longestGapMs(cron) === Infinity;
  });
  const homeless = drill.site === undefined ? TECHNICAL.filter((kind) => calendar[kind]) : [];
  return [
    ...homeless.map((kind) => ({
      path: [...path, kind],
      message: 'expected a site for it under drill.site; without one there are tabletops only',
    })),
    ...never.map((kind) => ({
      path: [...path, kind, 'cron'],
      message: `'${calendar[kind]!.cron}' never comes; expected a day that there is`,
    })),
    ...calendar.blackouts.flatMap((blackout, index): ConfigProblem[] =>
      'from' in blackout && shownOf(blackout.from) > shownOf(blackout.to)
        ? [
            {
              path: [...path, 'blackouts', index, 'to'],
              message: `'${blackout.to}' is before ${blackout.from}; expected a later day`,
            },
          ]
        : [],
    ),
    ...(isEndless(calendar.blackouts, calendar.timezone, Date.now())
      ? [
          {
            path: [...path, 'blackouts'],
            message: 'they leave no time at which a drill could begin; expected some between them',
          },
        ]
      : []),
  ];
}
