import type { BackupInput } from '../domain/backup.ts';
import type { StepResult } from '../domain/run.ts';
import { callStep, liveSite } from './backup.ts';

/** Restores a set that exists into scratch instances. Under the same id as a backup: nobody deletes it meanwhile. */
export async function verify(input: BackupInput): Promise<StepResult> {
  // A named site need not serve: proving backups where they will be needed is what a spare site is for.
  const [only, ...others] = input.sites;
  const { site, database } = only && others.length === 0 ? only : await liveSite(input);
  return callStep(input, site, database, 'verify-set');
}
