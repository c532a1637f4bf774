import { z } from 'zod';
import { argv } from './config-parts.ts';

/** What `backup verify` is told besides where the stores are. */

const program = z
  .strictObject({
    start: argv.describe(
      'Starts it in the foreground on the restored configuration; {config} is its file, {root} its folder, {port} where it listens.',
    ),
  })
  .optional();

export const proof = z.strictObject({
  danglingPercent: z
    .number()
    .min(0)
    .max(100)
    .default(5)
    .describe(
      'Share of keys that may name an API or a policy that is not there. Keys outlive what they name in every deployment; stores of two moments, or of two deployments, have many of them.',
    ),
  dashboard: program.describe(
    'A Dashboard to start on the restored stores; without it that is not measured. A licence may count it.',
  ),
  gateway: program.describe('A Gateway to start beside it; it serves one request.'),
});

export type ProofConfig = z.output<typeof proof>;
export type ScratchProgram = NonNullable<ProofConfig['gateway']>;
