import { z } from 'zod';
import { parseDuration } from './duration.ts';
import { isSecretRef, SECRET_REF, SECRET_REF_EXPECTED } from './secret.ts';

/** What the sections of the configuration are made of. */

export const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected lower-case letters, digits and dashes, at most 40');
export const path = z.string().regex(/^\//, 'expected an absolute path');
export const port = z.int().min(1).max(65_535);
export const url = z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// address' });
export const argv = z
  .array(z.string())
  .min(1, 'expected a command as a list of words, such as [systemctl, start, redis]');
export const durationMs = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'expected a duration such as 90s, 15m or 1h30m')
  .transform((text) => parseDuration(text)!);
export const secretRef = z
  .string()
  .regex(SECRET_REF, SECRET_REF_EXPECTED)
  .refine(isSecretRef, SECRET_REF_EXPECTED);

export const serviceCommands = z.strictObject({
  start: argv.describe('Starts the service and returns; must do nothing when it already runs.'),
  stop: argv.describe('Stops the service and returns when it has stopped.'),
  status: argv.describe('Exit code 0: running; 3: stopped (as the Linux Standard Base has it).'),
});
export const service = z
  .union([
    serviceCommands,
    z.strictObject({ systemd: z.string().min(1).describe('A systemd unit, driven with systemctl.') }),
    z.strictObject({
      kubernetes: z.strictObject({
        context: z.string().optional(),
        namespace: z.string(),
        workload: z
          .string()
          .regex(/^(deployment|statefulset)\/.+$/, 'expected deployment/NAME or statefulset/NAME'),
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
