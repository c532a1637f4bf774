import { idsIn } from '../adapters/backup/snapshots.ts';
import { DrError } from '../domain/errors.ts';
import { SET_ID, startOfId, type Manifest } from '../domain/manifest.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { SnapshotSummary } from '../domain/run.ts';
import { SNAPSHOT_ID, snapshotKind, snapshotKindsOf, type SnapshotKind } from '../domain/snapshot.ts';
import { attestationOf, locateManifest, setsAtCopies, type Asking, type LocatedSet } from './copies.ts';

/** Which snapshots a recovery uses with its set. */

/** So many of a kind are looked at: all may have to come from a copy, one by one. */
const MOST_LOOKED_AT = 50;

export interface ChosenSnapshot {
  readonly kind: SnapshotKind;
  readonly located: LocatedSet;
  readonly verified: boolean;
}

export interface ChosenSnapshots {
  readonly used: Readonly<Partial<Record<SnapshotKind, ChosenSnapshot>>>;
  /** Newer ones that cannot be used, with why: what came since is lost, and somebody must hear of it. */
  readonly passedOver: readonly string[];
}

type Wishes = Pick<RecoverPlan, 'backup' | 'backupBefore' | 'snapshots' | 'steps'>;

/**
 * Of each kind that the plan restores the newest verified one, else the newest, that belongs to this very set and was
 * taken before the damage; one that was named, and no other. What does not pass the look is passed over for the next.
 *
 * @param look reads all of a candidate. @throws DrError of a snapshot that was named
 */
export async function chooseSnapshots(
  asking: Asking,
  plan: Wishes,
  set: LocatedSet,
  look: (candidate: ChosenSnapshot) => Promise<void>,
): Promise<ChosenSnapshots> {
  const named = snapshotKind(plan.backup);
  if (named !== undefined) {
    const located = await locateManifest(asking, plan.backup);
    const chosen = await described(asking, located, named);
    await look(chosen);
    return { used: { [named]: chosen }, passedOver: [] };
  }
  if (plan.snapshots !== 'newest') return { used: {}, passedOver: [] };
  const ids = await idsOf(asking, set);
  const parents = await parentsOf(asking, set);
  const found = await Promise.all(
    snapshotKindsOf(plan).map(async (kind) => {
      const ofKind = ids.filter((id) => snapshotKind(id) === kind).slice(0, MOST_LOOKED_AT);
      return { kind, ...(await chooseOne(asking, plan, { parents, ids: ofKind, look })) };
    }),
  );
  return {
    used: Object.fromEntries(found.flatMap(({ kind, chosen }) => (chosen ? [[kind, chosen]] : []))),
    passedOver: found.flatMap(({ kind, chosen, passedOver }) =>
      passedOver.map((told) => `${told}; ${insteadText(kind, chosen, set)}`),
    ),
  };
}

export function manifestsOf(used: ChosenSnapshots['used']): Partial<Record<SnapshotKind, Manifest>> {
  return Object.fromEntries(
    Object.entries(used).map(([kind, { located }]) => [kind, located.manifest] as const),
  );
}

export function summariesOf(used: ChosenSnapshots['used']): SnapshotSummary[] {
  return Object.values(used).map(({ kind, located, verified }) => {
    const { set: snapshot, createdAt } = located.manifest;
    return { kind, snapshot, createdAt, verified };
  });
}

function insteadText(kind: SnapshotKind, chosen: ChosenSnapshot | undefined, set: LocatedSet): string {
  const what = kind === 'redis' ? 'Redis comes' : 'the configuration comes';
  return chosen
    ? `${what} from the older snapshot ${chosen.located.manifest.set}`
    : `${what} from set ${set.manifest.set} itself`;
}

/** Newest first: what was begun after the set, and before the next one took its place. */
async function idsOf(asking: Asking, set: LocatedSet): Promise<string[]> {
  const { deployment, name } = asking;
  const here = await idsIn(deployment.backup, name).catch((error: unknown) => {
    if (deployment.backup.copies.length === 0 || !(error instanceof DrError)) throw error;
    return [];
  });
  const isHere = set.repository === deployment.backup.repository || deployment.backup.copies.length === 0;
  const all = isHere ? here : [...new Set([...here, ...(await setsAtCopies(asking))])];
  const begin = set.manifest.rewrapOf ?? set.manifest.set;
  const until = await nextSetAt(asking, all.filter((id) => SET_ID.test(id) && id > begin).sort());
  return all
    .filter((id) => SNAPSHOT_ID.test(id) && id > begin && stampOf(id) <= until)
    .sort()
    .reverse();
}

/** More failed runs in a row than this leave no next set. */
const MOST_NEXT = 5;

/** When the next set was complete; from then on snapshots belong to that one. */
async function nextSetAt(asking: Asking, newer: readonly string[]): Promise<string> {
  for (const id of newer.slice(0, MOST_NEXT)) {
    const next = await locateManifest({ ...asking, note: undefined }, id).catch(unlessOurs);
    // One that was sealed anew is of the same moment as the old one, and comes before no snapshot.
    if (next && next.manifest.rewrapOf === undefined)
      return next.manifest.createdAt.replaceAll(/[-:]/g, '').slice(0, STAMP_LENGTH);
  }
  return '9';
}

const STAMP_LENGTH = '20261124T031500'.length;
const stampOf = (id: string): string => id.slice(0, STAMP_LENGTH);

/**
 * The set, and the one whose content it has, sealed anew for other recipients: snapshots of that one fit as well.
 *
 * @returns the digest of each one's manifest.
 */
async function parentsOf(
  asking: Asking,
  { manifest, sha256 }: LocatedSet,
): Promise<ReadonlyMap<string, string>> {
  const parents = new Map([[manifest.set, sha256]]);
  if (manifest.rewrapOf === undefined) return parents;
  const old = await locateManifest({ ...asking, note: undefined }, manifest.rewrapOf).catch(unlessOurs);
  if (old) parents.set(manifest.rewrapOf, old.sha256);
  return parents;
}

function unlessOurs(error: unknown): undefined {
  if (!(error instanceof DrError)) throw error;
}

interface Search {
  readonly parents: ReadonlyMap<string, string>;
  /** Newest first. */
  readonly ids: readonly string[];
  readonly look: (candidate: ChosenSnapshot) => Promise<void>;
}

interface Found {
  readonly chosen?: ChosenSnapshot;
  readonly passedOver: readonly string[];
}

async function chooseOne(asking: Asking, plan: Wishes, { parents, ids, look }: Search): Promise<Found> {
  const problems = new Map<string, string>();
  const unproven: { id: string; candidate: ChosenSnapshot; notes: string[] }[] = [];
  const attempt = async <T>(id: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      asking.signal?.throwIfAborted();
      if (!(error instanceof DrError)) throw error;
      problems.set(id, error.message);
      return undefined;
    }
  };
  const take = async (id: string, candidate: ChosenSnapshot, notes: readonly string[]): Promise<boolean> => {
    const passed = await attempt(id, () => look(candidate).then(() => true));
    if (passed) for (const text of notes) asking.note?.(text);
    return passed ?? false;
  };
  for (const id of ids) {
    const notes: string[] = [];
    const quiet: Asking = { ...asking, note: (text) => void notes.push(text) };
    const candidate = await attempt(id, () => candidateOf(quiet, plan, parents, id));
    if (!candidate) continue;
    if (!candidate.verified) unproven.push({ id, candidate, notes });
    else if (await take(id, candidate, notes)) {
      for (const newer of unproven)
        asking.note?.(
          `the newer snapshot ${newer.id} was never verified: ${id} is taken (--backup ${newer.id} takes the newer)`,
        );
      return { chosen: candidate, passedOver: newerThan(id, problems) };
    }
  }
  for (const { id, candidate, notes } of unproven)
    if (await take(id, candidate, notes)) return { chosen: candidate, passedOver: newerThan(id, problems) };
  return { passedOver: newerThan('', problems) };
}

function newerThan(chosen: string, problems: ReadonlyMap<string, string>): string[] {
  return [...problems]
    .filter(([id]) => id > chosen)
    .sort(([a], [b]) => (a < b ? 1 : -1))
    .map(([id, problem]) => `snapshot ${id} cannot be used: ${problem}`);
}

/** Undefined for one that is not meant: of another set, too late, or never finished. @throws DrError for a damaged one */
async function candidateOf(
  asking: Asking,
  { backupBefore }: Wishes,
  parents: ReadonlyMap<string, string>,
  id: string,
): Promise<ChosenSnapshot | undefined> {
  // What was begun too late was complete too late, whatever has become of its manifest.
  if (backupBefore !== undefined && startOfId(id) >= backupBefore) return undefined;
  const located = await locateManifest(asking, id).catch((error: unknown) => {
    // Without a manifest it is what a failed run has left.
    if (error instanceof DrError && error.code === 'NO_BACKUP') return undefined;
    throw error;
  });
  if (!located) return undefined;
  const { belongsTo, createdAt } = located.manifest;
  const digest = belongsTo && parents.get(belongsTo.set);
  if (digest === undefined) return undefined;
  if (backupBefore !== undefined && createdAt >= backupBefore) return undefined;
  if (belongsTo!.manifestSha256 !== digest)
    throw new DrError('MANIFEST_ORPHANED', {
      ...{ snapshot: id, set: belongsTo!.set, deployment: asking.name },
      reason: 'which has another manifest now',
    });
  return described(asking, located, snapshotKind(id)!);
}

async function described(asking: Asking, located: LocatedSet, kind: SnapshotKind): Promise<ChosenSnapshot> {
  return { kind, located, verified: (await attestationOf(asking, located)) !== undefined };
}
