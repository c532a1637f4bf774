import type { BackupInput, SealResult } from '../domain/backup.ts';
import type { StepResult } from '../domain/run.ts';
import { callStep, liveSite } from './backup.ts';
import { commitConfig } from './commit-config.ts';

/** Restores a set that exists into scratch instances. Under the same id as a backup: nobody deletes it meanwhile. */
export async function verify(input: BackupInput): Promise<StepResult> {
  // A named site need not serve: proving backups where they will be needed is what a spare site is for.
  const [only, ...others] = input.sites;
  const { site, database } = only && others.length === 0 ? only : await liveSite(input);
  const verified: SealResult = await callStep(input, site, database, 'verify-set');
  if (!verified.git) return verified;
  const { warning, summary } = await commitConfig(database, () =>
    callStep(input, site, database, 'commit-config'),
  );
  return { ...verified, summary: `${verified.summary}; git: ${warning ?? summary}` };
}
