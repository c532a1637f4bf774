import { keepPlan, keepRun, listRuns, readRun } from '../adapters/backup/runs.ts';
import type { RunSummary } from '../domain/run-summary.ts';
import type { RunRecord, StepResult } from '../domain/run.ts';
import { guarded, type Deps } from './guard.ts';
import { asActivity } from './to-failure.ts';

/** The record of a run, kept beside the backups, and read again for whoever cannot reach the repository. */

/** As many as surely fit into one answer of Temporal. */
const MOST_LISTED = 1_500;

export function createRecordActivities(deps: Deps) {
  return {
    'write-record': guarded(
      deps,
      // A run that was given up, or superseded, leaves its record as well.
      'release',
      async ({ deployment, input }, record: RunRecord): Promise<StepResult> => {
        await keepPlan(deployment.backup, record.run, input.plan);
        return { summary: await keepRun(deployment.backup, record) };
      },
    ),
    'list-runs': (deployment: string): Promise<RunSummary[]> =>
      asActivity(async () =>
        (await listRuns(deps.deployment(deployment).backup, deployment)).slice(0, MOST_LISTED),
      ),
    /** Null where no such run was kept: undefined does not travel. */
    'read-run': (deployment: string, run: string): Promise<RunRecord | null> =>
      asActivity(async () => (await readRun(deps.deployment(deployment).backup, deployment, run)) ?? null),
  };
}
