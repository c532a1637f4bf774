import { keepRun } from '../adapters/backup/runs.ts';
import type { RunRecord, StepResult } from '../domain/run.ts';
import { guarded, type Deps } from './guard.ts';

/** The record of a run, kept beside the backups. */

export function createRecordActivities(deps: Deps) {
  return {
    'write-record': guarded(
      deps,
      // A run that was given up, or superseded, leaves its record as well.
      'release',
      async ({ deployment }, record: RunRecord): Promise<StepResult> => ({
        summary: await keepRun(deployment.backup, record),
      }),
    ),
  };
}
