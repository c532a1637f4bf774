import { ApplicationFailure } from '@temporalio/workflow';
import type { BackupInput, PruneResult } from '../domain/backup.ts';
import { ERRORS } from '../domain/error-table.ts';
import { callStep, liveSite } from './backup.ts';

/**
 * Under the same id as a backup: sets are never made and let go at the same time.
 *
 * @param judge fail where a copy could not be pruned, as a schedule wants it; a person is shown all of it instead.
 */
export async function prune(input: BackupInput, dryRun: boolean, judge = true): Promise<PruneResult> {
  const { site, database } = await liveSite(input);
  const result = (await callStep(input, site, database, 'prune-sets', dryRun)) as PruneResult;
  const problems = (result.copies ?? []).flatMap(({ copy, problem }) =>
    problem === undefined ? [] : `${copy}: ${problem}`,
  );
  if (!judge || problems.length === 0) return result;
  const details = { deployment: input.deployment, reason: problems.join('; ') };
  throw ApplicationFailure.nonRetryable(ERRORS.PRUNE_INCOMPLETE.message(details), 'PRUNE_INCOMPLETE');
}
