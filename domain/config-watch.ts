import { z } from 'zod';
import { durationMs, hostPort, line, name } from './config-parts.ts';
import { parseCron } from './cron.ts';
import { SCHEDULABLE } from './schedules.ts';

/** The sections that keep an eye on backups: schedules and metrics. */

export const cronText = line.superRefine((text, context) => {
  const problem = parseCron(text);
  if (typeof problem === 'string') context.addIssue({ code: 'custom', message: problem });
});

export const timezone = line
  .default('UTC')
  .refine(isTimeZone, 'expected the name of a time zone, such as Europe/Paris');

const schedule = z.strictObject({
  every: durationMs.optional().describe('How often; or say when with cron.'),
  cron: cronText
    .optional()
    .describe('When, as five fields: minute, hour, day of the month, month, day of the week.'),
  jitter: durationMs.prefault('0s').describe('Begins later by chance, by at most this.'),
  catchUp: durationMs
    .prefault('10m')
    .describe(
      'A run that was missed because Temporal was away still begins when it is back within this time.',
    ),
});

const ofSets = schedule.extend({
  verify: z.boolean().default(true).describe('Whether each set is proven by a restore at once.'),
});

export const schedules = z
  .strictObject({
    timezone: timezone.describe('What cron expressions mean.'),
    full: ofSets.optional().describe(SCHEDULABLE.full.purpose),
    incremental: ofSets.optional().describe(SCHEDULABLE.incremental.purpose),
    redis: ofSets.optional().describe(SCHEDULABLE.redis.purpose),
    config: ofSets.optional().describe(SCHEDULABLE.config.purpose),
    redisAof: schedule.optional().describe(SCHEDULABLE.redisAof.purpose),
    copy: schedule.optional().describe(SCHEDULABLE.copy.purpose),
    keyTest: schedule.optional().describe(SCHEDULABLE.keyTest.purpose),
    verify: schedule.optional().describe(SCHEDULABLE.verify.purpose),
    retention: schedule.optional().describe(SCHEDULABLE.retention.purpose),
    watch: schedule
      .optional()
      .describe(`${SCHEDULABLE.watch.purpose} Every five minutes, where schedules do not say otherwise.`),
  })
  .describe('What is done without anybody asking; tyk-dr schedule apply brings it to Temporal.');

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const metrics = z
  .record(
    name,
    z.strictObject({
      listen: hostPort.describe('Serves /metrics for Prometheus there, such as 127.0.0.1:9464.'),
      temporal: hostPort
        .optional()
        .describe("Serves the metrics of Temporal's own SDK there: latencies, failures, slots."),
    }),
  )
  .describe('What a worker shows Prometheus, by the name of the worker.');
