import { z } from 'zod';
import { durationMs, path } from './config-parts.ts';

/** The section `beacon` of a deployment. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

const between = (leastMs: number, mostMs: number, text: string) =>
  durationMs.refine((ms) => ms >= leastMs && ms <= mostMs && ms % SECOND_MS === 0, `expected ${text}`);

export const beacon = z
  .strictObject({
    interval: between(SECOND_MS, MINUTE_MS, 'whole seconds, 1s to 1m')
      .prefault('1s')
      .describe('How often a number is written into each store: what is measured is no finer.'),
    keep: between(10 * MINUTE_MS, 24 * HOUR_MS, '10m to 24h')
      .prefault('6h')
      .describe(
        'Numbers of this age stay in the database, so that holes can be looked for; in Redis those of the last hour.',
      ),
    journal: z
      .array(path)
      .min(1, 'expected at least one folder')
      .optional()
      .describe(
        'Folders that the acknowledged numbers are written to, outside every site; default the backup repository. What is in any of them counts.',
      ),
    audit: path
      .optional()
      .describe(
        "The Dashboard's audit log (JSON, one entry a line), shipped outside every site: what it says was changed or created after the recovered point is named in the report.",
      ),
  })
  .describe(
    'Writes a number a second into Redis and the database, and journals what they acknowledge: how a recovery measures what was lost. Without it, loss is not measured.',
  );
