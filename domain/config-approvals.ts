import { z } from 'zod';
import { APPROVABLE } from './approvals.ts';
import { durationMs, name } from './config-parts.ts';

/** Who must agree before which step. */

const SSH_KEY = /^ssh-ed25519 (AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43})(?: [^\r\n]*)?$/;

export const approvals = z
  .array(
    z.strictObject({
      step: z.enum(APPROVABLE).describe('The step before which the run waits.'),
      count: z
        .int()
        .min(1)
        .max(10)
        .default(1)
        .describe('How many people; whoever started the run does not count.'),
      roles: z
        .array(name)
        .default([])
        .describe('Who may: approvers with one of these; all of them where it is empty.'),
      timeout: durationMs
        .prefault('15m')
        .describe('How long the run waits before it does what onTimeout says.'),
      onTimeout: z
        .enum(['escalate', 'abort'])
        .default('escalate')
        .describe('escalate raises the alarm and waits on; abort gives the run up.'),
    }),
  )
  .describe('Steps before which a run waits for people: see docs/steering.md.');

export const approvers = z
  .array(
    z.strictObject({
      name: z
        .string()
        .regex(
          /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/,
          'expected a login name: letters, digits, . _ @ -, at most 64',
        ),
      roles: z.array(name).default([]),
      key: z
        .string()
        .regex(SSH_KEY, 'expected the line of an Ed25519 public key, ssh-ed25519 AAAA...')
        .optional()
        .describe('The public key, as in ~/.ssh/id_ed25519.pub. With keys every approval must be signed.'),
    }),
  )
  .describe('Who may approve. Give every one a key, or none: without keys a name is asserted, not proven.');
