import type { BackupInput, PruneResult } from '../domain/backup.ts';
import { callStep, liveSite } from './backup.ts';

/** Under the same id as a backup: sets are never made and let go at the same time. */
export async function prune(input: BackupInput, dryRun: boolean): Promise<PruneResult> {
  const { site, database } = await liveSite(input);
  return (await callStep(input, site, database, 'prune-sets', dryRun)) as PruneResult;
}
