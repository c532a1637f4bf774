import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { isPlain } from './plain-text.ts';
import { isSecretRef, SECRET_REF, SECRET_REF_EXPECTED } from './secret.ts';

/** What the sections of the configuration are made of. */

/** One line of text that can be shown as it is. */
export const line = z
  .string()
  .min(1, 'expected at least one character')
  .max(1000, 'expected at most 1000 characters')
  .refine(isPlain, 'expected plain text: no control characters, no marks that are not seen');

export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected lower-case letters, digits and dashes, at most 40');
/** The longest that Linux takes. */
const PATH_MAX = 4096;
export const path = z
  .string()
  .max(PATH_MAX, `expected at most ${PATH_MAX} characters`)
  .regex(/^\/(?!(.*\/)?\.\.(\/|$))/, 'expected an absolute path without a step upwards')
  .refine(isPlain, 'expected a path without control characters');
/** A name or an address of a host, without port; IPv6 without brackets. */
export const host = z
  .string()
  .max(253)
  .regex(
    /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+$|^\/[^\p{Cc}]*$/u,
    'expected the name or the address of a host',
  )
  .refine(isPlain, 'expected the name or the address of a host');
export const port = z.int().min(1).max(65_535);
export const url = z
  .url({ protocol: /^https?$/, error: 'expected an http:// or https:// address' })
  .max(2000, 'expected at most 2000 characters')
  .refine(isPlain, 'expected an address without control characters');
/** Where something listens or is reached: HOST:PORT. */
export const hostPort = z
  .string()
  .regex(
    /^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/,
    'expected HOST:PORT, such as redis-1.example.com:6379',
  );
/** A user of this system: its name is handed to programs, and one that begins with a dash would be an option. */
export const systemUser = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, 'expected the name of a user of the system');
/** A word may be anything that can be handed to a program: scripts have line breaks. */
const word = z
  .string()
  .max(100_000, 'expected at most 100000 characters')
  .refine((text) => !text.includes('\0'), 'expected a word without a NUL character');
export const argv = z
  .array(word)
  .min(1, 'expected a command as a list of words, such as [systemctl, start, redis]');
export const durationMs = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'expected a duration such as 90s, 15m or 1h30m')
  .transform((text) => parseDuration(text)!);
export const secretRef = z
  .string()
  .max(PATH_MAX, `expected at most ${PATH_MAX} characters`)
  .regex(SECRET_REF, SECRET_REF_EXPECTED)
  .refine(isPlain, SECRET_REF_EXPECTED)
  .refine(isSecretRef, SECRET_REF_EXPECTED);

export const serviceCommands = z.strictObject({
  start: argv.describe('Starts the service and returns; must do nothing when it already runs.'),
  stop: argv.describe('Stops the service and returns when it has stopped.'),
  status: argv.describe('Exit code 0: running; 3: stopped (as the Linux Standard Base has it).'),
});
/** As systemd has them; one that begins with a dash would be an option. */
const unit = z
  .string()
  .regex(/^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}$/, 'expected the name of a systemd unit');

export const service = z
  .union([
    serviceCommands,
    z.strictObject({ systemd: unit.describe('A systemd unit, driven with systemctl.') }),
    z.strictObject({
      kubernetes: z.strictObject({
        context: line.optional(),
        namespace: line,
        workload: z
          .string()
          .regex(
            /^(deployment|statefulset)\/[a-z0-9][a-z0-9.-]{0,252}$/,
            'expected deployment/NAME or statefulset/NAME',
          ),
        replicas: z.int().min(1).default(1),
      }),
    }),
  ])
  .describe('How the component is started, stopped and looked at.');

export const component = {
  worker: name.optional().describe("The worker that serves it; default the site's."),
  service,
  install: argv
    .optional()
    .describe("Installs the component when it is missing; gets the backup's version in TYK_DR_VERSION."),
  version: argv
    .optional()
    .describe(
      'Prints the installed version, also while it is stopped; default that of the package with the name of the systemd unit, or the tag of the image.',
    ),
};
