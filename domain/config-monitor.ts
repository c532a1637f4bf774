import { z } from 'zod';
import { durationMs, hostPort, name } from './config-parts.ts';

/** The section `monitor` of a deployment. */

const SECOND_MS = 1000;

const atLeast = (leastMs: number, text: string) =>
  durationMs.refine((ms) => ms >= leastMs, `expected at least ${text}`);

export const monitor = z
  .strictObject({
    observers: z
      .array(name)
      .min(2, 'expected at least two workers, on different sites')
      .describe(
        'The workers that look. At least two, on different sites; a third one that belongs to no site decides where a site is lost together with its own observer.',
      ),
    references: z
      .array(hostPort)
      .min(1, 'expected at least one address')
      .describe(
        'Addresses outside every site that every observer must be able to reach: a name server, an identity provider. An observer that reaches none of them, and nothing else, is blind and does not count.',
      ),
    interval: atLeast(SECOND_MS, '1s').prefault('5s').describe('How often each observer looks.'),
    failAfter: atLeast(SECOND_MS, '1s')
      .prefault('30s')
      .describe('A site has failed when a quorum has seen it down for this long without a break.'),
    recoverAfter: atLeast(SECOND_MS, '1s')
      .prefault('30s')
      .describe('A state becomes a better one only after it has been better for this long.'),
    quorum: z
      .int()
      .min(2, 'expected at least 2: one observer never decides')
      .optional()
      .describe('So many observers must agree; default more than half of them, and at least two.'),
    flapping: z
      .strictObject({
        changes: z.int().min(2).default(4).describe('So many turns for the worse'),
        within: atLeast(SECOND_MS, '1s').prefault('10m').describe('within this time.'),
      })
      .prefault({})
      .describe('A site that flaps is held at its worse state until it has been calm for the whole time.'),
    onFailure: z
      .enum(['notify', 'propose', 'start'])
      .default('notify')
      .describe(
        'What becomes of a failed site: people are told; or a recovery on the other site is opened that waits for a signed approval; or it is started, where it is proven to be safe.',
      ),
    heal: z
      .union([
        z.literal('off'),
        z.strictObject({
          perHour: z.int().min(1).max(60).default(3).describe('At most so many an hour.'),
          after: atLeast(SECOND_MS, '1s')
            .prefault('10s')
            .describe('A component is started again when it has been dead for this long.'),
        }),
      ])
      .prefault({})
      .describe(
        'A single dead component is started again where it stands, with the data and the configuration that it has, before its site is given up. Each time is a run of its own.',
      ),
    budgetPerDay: z
      .int()
      .min(0)
      .default(1)
      .describe('At most so many recoveries on another site are started by themselves in 24 hours.'),
    to: name
      .optional()
      .describe(
        'The site to go to; default the only other one that is not for drills. Which one serves is found out.',
      ),
  })
  .describe('Who looks whether the deployment serves, who decides that it does not, and what is done then.');

export type MonitorConfig = z.output<typeof monitor>;
