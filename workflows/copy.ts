import type { BackupInput } from '../domain/backup.ts';
import type { StepResult } from '../domain/run.ts';
import { callStep, liveSite } from './backup.ts';

/** Brings a set that exists to every off-site copy. Under the same id as a backup: nobody deletes it meanwhile. */
export async function copy(input: BackupInput): Promise<StepResult> {
  const [only, ...others] = input.sites;
  const { site, database } = only && others.length === 0 ? only : await liveSite(input);
  return callStep(input, site, database, 'copy-set');
}
