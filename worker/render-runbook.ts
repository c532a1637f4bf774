import type { RenderRunbook } from '../activities/export-runbook.ts';
import { planDigest } from '../adapters/config/digest.ts';
import { readScriptParts } from '../adapters/runbook/script-parts.ts';
import { runbookBundle } from '../report/runbook/bundle.ts';
import { PART_NAMES } from '../report/runbook/script.ts';

/** Where the texts of the scripts, the plans and the configuration meet. */
export function renderRunbook(version: string): RenderRunbook {
  return async (name, deployment, facts) =>
    runbookBundle({
      ...{ name, deployment, version, digestOf: planDigest, ...facts },
      parts: await readScriptParts(PART_NAMES),
    });
}
