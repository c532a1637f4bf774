import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunRecord, StepResult } from '../domain/run.ts';
import { guarded, type Deps } from './guard.ts';

/** The record of a run, kept beside the backups: it outlives Temporal's retention and the loss of a site. */

export function createRecordActivities(deps: Deps) {
  return {
    'write-record': guarded(
      deps,
      // A run that was given up, or superseded, leaves its record as well.
      'release',
      async ({ deployment, input }, record: RunRecord): Promise<StepResult> => {
        const folder = join(deployment.backup.repository, input.plan.deployment, 'runs');
        const file = join(folder, `${input.run}.json`);
        await mkdir(folder, { recursive: true });
        await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`);
        await rename(`${file}.new`, file);
        return { summary: file };
      },
    ),
  };
}
