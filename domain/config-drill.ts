import { z } from 'zod';
import { drillSchedules, majorChange } from './config-drill-schedules.ts';
import { durationMs, name } from './config-parts.ts';

/** The section of a deployment about rehearsals. */

export const drill = z.strictObject({
  site: name
    .optional()
    .describe(
      'Where drills recover to: a site that neither serves nor replicates, with ports and folders of its own. No drill touches any other; without one there are tabletops only.',
    ),
  limit: durationMs
    .prefault('4h')
    .describe('A drill that takes longer, for whatever reason, is stopped and torn down.'),
  halt: z
    .strictObject({
      latency: durationMs
        .prefault('2s')
        .describe('A Gateway of the live site that answers /hello later than this is in trouble.'),
      diskFreePercent: z
        .number()
        .min(0)
        .max(100)
        .default(5)
        .describe('So does a host of it with less room where its stores lie.'),
      patience: durationMs
        .prefault('5s')
        .describe('Trouble that lasts longer than this stops the drill, which is torn down.'),
    })
    .prefault({})
    .describe('What stops a drill for the sake of the live site.'),
  schedules: drillSchedules.optional(),
  majorChange: majorChange.optional(),
});
