import { z } from 'zod';
import { WEEKDAYS } from './blackout.ts';
import { CALENDAR } from './calendar-kinds.ts';
import { durationMs, line } from './config-parts.ts';
import { cronText, timezone } from './config-watch.ts';

/** The calendar of drills, reviews and audits. */

const timed = z.strictObject({
  cron: cronText.describe('When, as five fields: minute, hour, day of the month, month, day of the week.'),
  catchUp: durationMs
    .prefault('10m')
    .describe(
      'What was due while Temporal was away still begins when it is back within this time; later it is missed.',
    ),
});

const reason = line.max(200).describe('Kept with every drill that is deferred because of it.');
const day = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2})?$/,
    'expected a day such as 2026-12-20, or 2026-12-20T18:00 on the clocks of the time zone',
  )
  .refine(
    (text) => !Number.isNaN(Date.parse(text.includes('T') ? `${text}:00Z` : `${text}T00:00:00Z`)),
    'expected a day of the calendar',
  );
const clock = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'expected a time such as 08:00, at most 24:00');

const blackout = z.union(
  [
    z.strictObject({ from: day, to: day.describe('A day is part of it.'), reason }),
    z.strictObject({
      weekly: z.array(z.enum(WEEKDAYS)).min(1),
      start: clock.default('00:00'),
      end: clock.default('24:00').describe('At or before the start it is that of the next day.'),
      reason,
    }),
  ],
  'expected from, to and reason, or weekly, start, end and reason',
);

export const drillSchedules = z
  .strictObject({
    timezone: timezone.describe('What cron expressions and blackouts mean.'),
    component: timed.optional().describe(CALENDAR.component.purpose),
    simulation: timed.optional().describe(CALENDAR.simulation.purpose),
    full: timed.optional().describe(CALENDAR.full.purpose),
    tabletop: timed.optional().describe(CALENDAR.tabletop.purpose),
    review: timed.optional().describe(CALENDAR.review.purpose),
    audit: timed.optional().describe(CALENDAR.audit.purpose),
    handbook: timed.optional().describe(CALENDAR.handbook.purpose),
    plantEvery: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe(
        'Every so many technical drills of the calendar one gets a fault, chosen by chance, that it must notice; left out, none does.',
      ),
    late: durationMs
      .prefault('2d')
      .describe('What has not begun so long after it was due, or was deferred to, is late.'),
    signWithin: durationMs.prefault('30d').describe('How long after its quarter a review may stay unsigned.'),
    blackouts: z
      .array(blackout)
      .default([])
      .describe('No drill of the calendar begins then: it is deferred to the end of the window.'),
  })
  .describe('Drills, reviews and audits by the calendar; tyk-dr schedule apply puts it in force.');

export const majorChange = z
  .strictObject({
    config: z.boolean().default(true).describe('Another digest of the configuration.'),
    versions: z.boolean().default(true).describe('Another version of a component in the newest set.'),
    dataPercent: z
      .number()
      .min(1)
      .max(10_000)
      .default(50)
      .describe('The newest set is bigger or smaller by more than so many percent.'),
  })
  .describe('What has to change since the last technical drill for another one to be due at once.');

export type DrillSchedulesConfig = z.output<typeof drillSchedules>;
export type MajorChangeConfig = z.output<typeof majorChange>;
