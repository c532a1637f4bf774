import { z } from 'zod';
import { durationMs, name, secretRef, url } from './config-parts.ts';
import { parseCron } from './cron.ts';
import { SCHEDULABLE } from './schedules.ts';

/** The sections that keep an eye on backups: schedules, notifications, metrics. */

const schedule = z.strictObject({
  every: durationMs.optional().describe('How often; or say when with cron.'),
  cron: z
    .string()
    .optional()
    .superRefine((text, context) => {
      const problem = text === undefined ? undefined : parseCron(text);
      if (typeof problem === 'string') context.addIssue({ code: 'custom', message: problem });
    })
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
    timezone: z
      .string()
      .default('UTC')
      .refine(isTimeZone, 'expected the name of a time zone, such as Europe/Paris')
      .describe('What cron expressions mean.'),
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

export const notify = z
  .strictObject({
    webhooks: z
      .array(
        z.strictObject({
          url: url.describe('Gets a POST with JSON.'),
          secret: secretRef
            .optional()
            .describe('Signs the body: Tyk-Dr-Signature is sha256= and its HMAC-SHA256 in hexadecimal.'),
        }),
      )
      .default([]),
    email: z
      .strictObject({
        host: z.string().describe('The SMTP server.'),
        port: z.int().min(1).max(65_535).default(587),
        tls: z
          .enum(['starttls', 'implicit', 'none'])
          .default('starttls')
          .describe('starttls is demanded, not tried: a server without it gets no mail.'),
        user: z.string().optional(),
        password: secretRef.optional(),
        from: z.string().regex(/^[^@\s]+@[^@\s]+$/, 'expected an address'),
        to: z.array(z.string().regex(/^[^@\s]+@[^@\s]+$/, 'expected an address')).min(1),
      })
      .optional(),
    remindEvery: durationMs
      .prefault('4h')
      .describe('What stays out of bounds is told again after this long.'),
  })
  .describe('Who hears of failures and of staleness.');

const listen = z.string().regex(/^.+:\d{1,5}$/, 'expected HOST:PORT');

export const metrics = z
  .record(
    name,
    z.strictObject({
      listen: listen.describe('Serves /metrics for Prometheus there, such as 127.0.0.1:9464.'),
      temporal: listen
        .optional()
        .describe("Serves the metrics of Temporal's own SDK there: latencies, failures, slots."),
    }),
  )
  .describe('What a worker shows Prometheus, by the name of the worker.');

export type NotifyConfig = z.output<typeof notify>;
