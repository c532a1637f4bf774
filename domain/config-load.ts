import { z } from 'zod';
import { durationMs, line } from './config-parts.ts';

/** The sections `slos` and `load` of a deployment: what is promised to clients, and how that is measured. */

const percent = z.number().min(0).max(100).optional();
const ms = z.number().positive().optional();

export const slos = z
  .strictObject({
    availabilityPercent: percent.describe(
      'At least this share of requests has an answer; none, 404 and 5xx are failures.',
    ),
    errorPercent: percent.describe('At most this share is answered otherwise than the probe expects.'),
    p50Ms: ms.describe('At most, milliseconds; likewise p95 and p99.'),
    p95Ms: ms,
    p99Ms: ms,
    requestsPerSecond: z
      .int()
      .min(1)
      .optional()
      .describe('At least so many are answered as they must be. No more can be seen than the load sends.'),
  })
  .prefault({})
  .describe(
    'Service level objectives: what is stated here, measure-performance holds a recovery and a drill against. The guide names none by tier, so there are no defaults.',
  );

const SECOND_MS = 1000;
const LONGEST_MS = 5 * 60 * SECOND_MS;

const between = (leastMs: number, mostMs: number, text: string) =>
  durationMs.refine((value) => value >= leastMs && value <= mostMs, `expected ${text}`);

export const load = z
  .strictObject({
    duration: between(SECOND_MS, LONGEST_MS, '1s to 5m')
      .prefault('10s')
      .describe('How long requests are sent.'),
    requestsPerSecond: z
      .int()
      .min(1)
      .max(10_000)
      .default(50)
      .describe('So many become due each second, whatever the answers are like; never more.'),
    concurrency: z.int().min(1).max(1000).default(20).describe('So many are under way at most.'),
    timeout: between(SECOND_MS, 60 * SECOND_MS, '1s to 1m')
      .prefault('5s')
      .describe('A request that has no answer this long after it was due has failed.'),
    probes: z
      .array(line)
      .min(1, 'expected at least one name')
      .optional()
      .describe(
        'Names of the probes that it sends, GET or HEAD; default those that prove api and known-key. Leave out a key that has a quota or a rate limit: the load would use it up.',
      ),
  })
  .prefault({})
  .describe('The load that measure-performance sends after a recovery, through the clients’ address.');
