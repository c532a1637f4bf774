import { join } from 'node:path';
import { isUsable, listSets, type SetListing } from '../adapters/backup/repository.ts';
import { requireParent } from '../adapters/backup/snapshots.ts';
import { DrError } from '../domain/errors.ts';
import { SET_ID } from '../domain/manifest.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { attestationOf, locateManifest, setsAtCopies, type Asking, type LocatedSet } from './copies.ts';

/** Which set a recovery restores, wherever it lies. */

/** How many sets of the copies are looked at in search of one that fits. */
const MOST_LOOKED_AT = 20;

/**
 * The set that was named, that of the snapshot that was named, or the newest one that the plan allows.
 *
 * @throws DrError, see readManifest; MANIFEST_ORPHANED
 */
export async function chooseSet(
  asking: Asking,
  plan: Pick<RecoverPlan, 'backup' | 'backupBefore'>,
): Promise<LocatedSet> {
  if (plan.backup === 'latest') return locateManifest(asking, await newest(asking, plan.backupBefore));
  const named = await locateManifest(asking, plan.backup);
  if (!named.manifest.belongsTo) return named;
  return requireParent(named.manifest, (set) => locateManifest(asking, set));
}

interface Candidate {
  readonly set: string;
  readonly createdAt: string;
  readonly verified: boolean;
}

/**
 * The newest verified set; where none is verified, the newest that is signed and complete: what was never restored is
 * not known to be a backup. Only sets taken before a moment count where one is given.
 */
async function newest(asking: Asking, before: string | undefined): Promise<string> {
  const { deployment, name } = asking;
  const { repository, copies } = deployment.backup;
  const here = await setsHere(asking);
  const inTime = (sets: readonly Candidate[]): Candidate[] =>
    sets.filter(({ createdAt }) => before === undefined || createdAt < before);
  const local = best(inTime(here));
  const elsewhere = copies.length > 0 ? await setsElsewhere(asking, here, local) : [];
  const found = best(inTime([...here, ...elsewhere]));
  if (found) return found.set;
  const some = here.length + elsewhere.length > 0;
  const reason = some ? `none was taken before ${before ?? ''}` : 'none is complete and signed';
  throw new DrError('NO_BACKUP', { deployment: name, repository, reason });
}

function best(sets: readonly Candidate[]): Candidate | undefined {
  const sorted = [...sets].sort((a, b) => (a.set < b.set ? 1 : -1));
  return sorted.find(({ verified }) => verified) ?? sorted[0];
}

/** Where there are copies, a repository that cannot be read is no reason to give up. */
async function setsHere(asking: Asking): Promise<Candidate[]> {
  const { deployment, name } = asking;
  const listed = await listSets(deployment.backup, name).catch((error: unknown) => {
    if (deployment.backup.copies.length === 0 || !(error instanceof DrError)) throw error;
    asking.note?.(error.message);
    return [] as SetListing[];
  });
  return listed
    .filter(isUsable)
    .map(({ set, state, createdAt }) => ({ set, createdAt: createdAt!, verified: state === 'verified' }));
}

/** Sets that only a copy has whole, and that would be better than the best one here. */
async function setsElsewhere(
  asking: Asking,
  here: readonly Candidate[],
  local: Candidate | undefined,
): Promise<Candidate[]> {
  const known = new Set(here.map(({ set }) => set));
  const names = (await setsAtCopies(asking)).filter(
    (set) => SET_ID.test(set) && !known.has(set) && (local?.verified !== true || set > local.set),
  );
  const found: Candidate[] = [];
  for (const set of names.slice(0, MOST_LOOKED_AT)) {
    // The note belongs to the set that is chosen in the end.
    const quiet: Asking = { ...asking, note: undefined, cache: join(asking.cache, 'candidates') };
    const located = await locateManifest(quiet, set).catch((error: unknown) => {
      if (!(error instanceof DrError)) throw error;
      return undefined;
    });
    if (!located) continue;
    const verified = (await attestationOf(quiet, located)) !== undefined;
    found.push({ set, createdAt: located.manifest.createdAt, verified });
  }
  return found;
}
