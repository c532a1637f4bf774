import type { BackupInput, RewrapResult } from '../domain/backup.ts';
import { callStep, liveSite } from './backup.ts';

/**
 * Seals a set anew for the recipients of today, proves what came of it, and brings it to the off-site copies. Under
 * the same id as a backup: nobody deletes either set meanwhile.
 */
export async function rewrap(input: BackupInput, verify: boolean): Promise<RewrapResult> {
  const [only, ...others] = input.sites;
  const { site, database } = only && others.length === 0 ? only : await liveSite(input);
  const made = (await callStep(input, site, database, 'rewrap-set')) as RewrapResult;
  if (made.observed) return { ...made, verified: false };
  const next = { ...input, set: made.set };
  // The old set's proof is of other bytes: this one has its own, or none.
  if (verify) await callStep(next, site, database, 'verify-set');
  if ((input.copies ?? []).length > 0) await callStep(next, site, database, 'copy-set');
  return { ...made, verified: verify };
}
