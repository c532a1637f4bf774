import { z } from 'zod';
import { SET_ID } from './manifest.ts';

/** The log of an exported script: one line of JSON for each thing that happened, each bound to the line before it. */

export const SCRIPT_LOG_FORMAT = 'tyk-dr/script-log/v1';

const at = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const text = z.string().max(20_000);
const line = { n: z.int().min(1), at, previous: z.string().regex(/^(none|[0-9a-f]{64})$/) };
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const event = z.discriminatedUnion('event', [
  z.strictObject({
    ...line,
    event: z.literal('begin'),
    format: z.literal(SCRIPT_LOG_FORMAT),
    run: z.string().regex(/^rec-\d{8}-\d{6}-[0-9a-f]{4}$/),
    deployment: text,
    tier: text,
    from: text,
    to: text,
    point: z.enum(['end', 'set']),
    reason: text,
    actor: text,
    /** Empty where nobody said so. */
    occurred: text,
    epoch: z.int().min(0),
    configDigest: digest,
    planDigest: digest,
    /** SHA-256 of the script itself. */
    script: digest,
    written: text,
  }),
  z.strictObject({ ...line, event: z.literal('resume'), actor: text, reason: text }),
  z.strictObject({ ...line, event: z.literal('set'), set: z.string().regex(SET_ID) }),
  z.strictObject({
    ...line,
    event: z.literal('set-facts'),
    set: z.looseObject({
      set: z.string().regex(SET_ID),
      site: text,
      createdAt: text,
      verified: z.boolean(),
      bytes: z.number().min(0),
      redisKeys: z.number().min(0).optional(),
      databaseBytes: z.number().min(0).optional(),
      versions: z.record(z.string(), text),
    }),
  }),
  z.strictObject({ ...line, event: z.literal('start'), step: text, risk: z.enum(['probe', 'mutate']) }),
  z.strictObject({ ...line, event: z.literal('end'), step: text, summary: text }),
  z.strictObject({ ...line, event: z.literal('failed'), step: text, message: text, hint: text }),
  z.strictObject({ ...line, event: z.literal('left-out'), step: text, why: text }),
  z.strictObject({
    ...line,
    event: z.literal('proof'),
    step: text,
    name: text,
    verdict: z.enum(['pass', 'fail', 'not-measured']),
    expected: text,
    actual: text,
  }),
  z.strictObject({ ...line, event: z.literal('exception'), step: text, text }),
  z.strictObject({
    ...line,
    event: z.literal('decision'),
    step: text,
    kind: z.enum(['confirm', 'abort']),
    reason: text,
  }),
  z.strictObject({
    ...line,
    event: z.literal('witness'),
    witness: z.strictObject({
      requests: z.int().min(0),
      failed: z.int().min(0),
      from: at,
      firstFailedAt: text.optional(),
      lastFailedAt: text.optional(),
    }),
  }),
  z.strictObject({
    ...line,
    event: z.literal('finish'),
    outcome: z.enum(['RECOVERED', 'RECOVERED_WITH_EXCEPTIONS', 'ABORTED']),
  }),
]);

export type ScriptEvent = z.output<typeof event>;
export type ScriptBegin = Extract<ScriptEvent, { event: 'begin' }>;

/** The event of a line, or what is wrong with it. */
export function parseEvent(json: unknown): ScriptEvent | { readonly problem: string } {
  const found = event.safeParse(json);
  return found.success ? found.data : { problem: z.prettifyError(found.error).replaceAll('\n', ' ') };
}
