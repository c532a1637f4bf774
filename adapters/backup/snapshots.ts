import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { BelongsTo, Manifest } from '../../domain/manifest.ts';
import { isSetOrSnapshot, SNAPSHOT_ID, snapshotKind, type SnapshotKind } from '../../domain/snapshot.ts';
import { describeSet, isUsable, readManifest, type SetListing } from './repository.ts';
import { unlessMissing, type Repository } from './signed.ts';

/**
 * Snapshots on disk: beside the sets, as sets are, under ids of their own. What looks for sets never meets them; one is
 * of use only with the very set that it was made for.
 */

export interface SnapshotListing extends SetListing {
  readonly kind: SnapshotKind;
}

/** Of sets and snapshots, newest first. @throws DrError REPOSITORY_UNREADABLE */
export async function idsIn(
  { repository }: Pick<Repository, 'repository'>,
  deployment: string,
): Promise<string[]> {
  const folder = join(repository, deployment);
  const names = (await unlessMissing(folder, readdir(folder))) ?? [];
  return names.filter(isSetOrSnapshot).sort().reverse();
}

/** Every snapshot of a deployment, newest first, with what it is worth. @throws DrError REPOSITORY_UNREADABLE */
export async function listSnapshots(config: Repository, deployment: string): Promise<SnapshotListing[]> {
  const parents = new Map<string, Promise<string | undefined>>();
  const digestOf = (set: string): Promise<string | undefined> => {
    const known = parents.get(set) ?? parentDigest(config, deployment, set);
    parents.set(set, known);
    return known;
  };
  const ids = (await idsIn(config, deployment)).filter((id) => SNAPSHOT_ID.test(id));
  return Promise.all(
    ids.map(async (id): Promise<SnapshotListing> => {
      const listed = await describeSet(config, deployment, id);
      const kind = snapshotKind(id)!;
      const { belongsTo } = listed;
      if (!belongsTo || !isUsable(listed)) return { ...listed, kind };
      const orphaned = (await digestOf(belongsTo.set)) !== belongsTo.manifestSha256;
      return { ...listed, kind, ...(orphaned ? { state: 'orphaned' as const } : {}) };
    }),
  );
}

/** The newest usable set or snapshot that holds the configuration of a site. @throws DrError REPOSITORY_UNREADABLE */
export async function newestConfig(
  config: Repository,
  deployment: string,
  site: string,
): Promise<string | undefined> {
  for (const id of await idsIn(config, deployment)) {
    if (snapshotKind(id) === 'redis') continue;
    const listed = await describeSet(config, deployment, id);
    if (isUsable(listed) && listed.site === site) return id;
  }
  return undefined;
}

/** A set that is damaged is none to belong to, until it is whole again. @throws DrError REPOSITORY_UNREADABLE */
async function parentDigest(
  config: Repository,
  deployment: string,
  set: string,
): Promise<string | undefined> {
  try {
    return (await readManifest(config, deployment, set)).sha256;
  } catch (error) {
    if (!(error instanceof DrError) || error.code === 'REPOSITORY_UNREADABLE') throw error;
    return undefined;
  }
}

/**
 * That the set of a snapshot is there, and the one that it was made for.
 *
 * @param read how the manifest of a set is read where the caller stands.
 * @throws DrError MANIFEST_ORPHANED
 */
export async function requireParent<T extends { readonly sha256: string }>(
  snapshot: Pick<Manifest, 'set' | 'deployment' | 'belongsTo'>,
  read: (set: string) => Promise<T>,
): Promise<T> {
  const parent = snapshot.belongsTo;
  if (!parent) throw new Error(`${snapshot.set} is no snapshot`);
  const orphaned = (reason: string, cause?: unknown): DrError =>
    new DrError(
      'MANIFEST_ORPHANED',
      { snapshot: snapshot.set, set: parent.set, reason, deployment: snapshot.deployment },
      { cause },
    );
  const found = await read(parent.set).catch((error: unknown) => {
    if (!(error instanceof DrError)) throw error;
    throw orphaned(`which cannot be used: ${error.message}`, error);
  });
  if (found.sha256 !== parent.manifestSha256) throw orphaned('which has another manifest now');
  return found;
}

/** What a new snapshot belongs to: the newest set, which must be of the same site. @throws DrError NO_PARENT_SET */
export async function newestParent(
  config: Repository,
  { deployment, site }: { readonly deployment: string; readonly site: string },
  listed: readonly SetListing[],
): Promise<BelongsTo> {
  const newest = listed.find(isUsable);
  const refuse = (reason: string): DrError => new DrError('NO_PARENT_SET', { deployment, reason });
  if (!newest) throw refuse('none is complete and signed');
  // With the database of another site, before it was given up, it would be used with a past that never met it.
  if (newest.site !== site) throw refuse(`the newest, ${newest.set}, is of site ${newest.site}, not ${site}`);
  const { sha256 } = await readManifest(config, deployment, newest.set);
  return { set: newest.set, manifestSha256: sha256 };
}
