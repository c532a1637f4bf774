import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CopyLedger } from '../adapters/backup/copy-ledger.ts';
import { copyFolders, ledgerFile } from '../adapters/backup/copy-record.ts';
import { idsAt } from '../adapters/backup/fetch.ts';
import { readCopy, type SetAtCopy } from '../adapters/backup/copy-sets.ts';
import { HOLD } from '../adapters/backup/prune.ts';
import { deleteSetAtCopy } from '../adapters/backup/prune-copy.ts';
import { isUsable, setFolder, type SignedManifest } from '../adapters/backup/repository.ts';
import type { RepositoryFile } from '../adapters/postgres/repository-files.ts';
import { unneededFiles, type FileThere, type NeededFiles } from '../adapters/postgres/unneeded-files.ts';
import { listFiles, removeEmptyFolders, removeFiles, upload } from '../adapters/rclone/rclone.ts';
import { openRemote, remoteText, type Remote } from '../adapters/rclone/remote.ts';
import type { PrunedCopy } from '../domain/backup.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { DrError } from '../domain/errors.ts';
import { retention, withParents, type KeepRules, type Verdict } from '../domain/retention.ts';
import { startOfId } from '../domain/manifest.ts';
import { SNAPSHOT_ID } from '../domain/snapshot.ts';
import type { BackupCall } from './guard.ts';
import { onlyCopy, readPart, setOf } from './open-set.ts';

/**
 * Lets old sets go at the copies that the configuration says are pruned by us: by the same rules over what lies there,
 * manifests first, then objects, then what of the pgBackRest repository no set needs any more. What may go is worked
 * out anew from what is there: a call that was cut off is finished by the next.
 */

/** A usable set of the repository, and whether it stays. */
export interface SetHere {
  readonly signed: SignedManifest;
  readonly stays: boolean;
  readonly hold?: string;
}

/** One answer for each copy; a copy that fails keeps no other from being pruned. */
export function pruneCopies(call: BackupCall, pruning: Rules): Promise<PrunedCopy[]> {
  const { here } = pruning;
  return Promise.all(
    call.deployment.backup.copies.map(async (copy) => {
      const nothing = { copy: copy.name, verdicts: [], orphans: [], files: 0, bytes: 0 };
      if (!copy.prune) return { ...nothing, pruned: false };
      // A disaster is no time to delete: what the repository held, and who held it, is not known then.
      if (here.length === 0)
        return { ...nothing, pruned: false, problem: 'the repository has no usable set: nothing is deleted' };
      try {
        return await pruneCopy({ call, copy, ...pruning });
      } catch (error) {
        call.signal.throwIfAborted();
        if (!(error instanceof DrError)) throw error;
        return { ...nothing, pruned: false, problem: error.message };
      }
    }),
  );
}

interface Rules {
  readonly rules: KeepRules;
  readonly here: readonly SetHere[];
  /** Snapshots of the repository that the rules let go. */
  readonly goingSnapshots: readonly string[];
  readonly dryRun: boolean;
}

interface Pruning extends Rules {
  readonly call: BackupCall;
  readonly copy: CopyConfig;
}

async function pruneCopy(pruning: Pruning): Promise<PrunedCopy> {
  const { call, copy, rules, here, dryRun } = pruning;
  const { deployment, input, site, signal } = call;
  await mkdir(site.stateDir, { recursive: true });
  const scratch = await mkdtemp(join(site.stateDir, 'prune-copy-'));
  try {
    const remote = await openRemote(copy, call.secret);
    const sets = await readCopy({
      ...{ remote, config: deployment.backup, deployment: input.deployment, scratch, signal },
    });
    const verdicts = judge(sets, here, rules);
    const going = verdicts.filter(({ keep }) => !keep).map(({ set }) => set);
    const files = await filesToGo(pruning, remote, sets, going, scratch);
    if (!dryRun) {
      await bringHolds(pruning, remote, sets);
      const condemned = sets.filter((each) => each.condemned).map(({ set }) => set);
      const snapshots = await snapshotsToGo(pruning, remote, sets, going);
      await remove(pruning, remote, [...snapshots, ...condemned, ...going], files.unneeded);
    }
    return {
      copy: copy.name,
      pruned: true,
      verdicts,
      orphans: [...orphansOf(sets, here), ...files.unknown.map((path) => `pgbackrest/${path}`)],
      files: files.unneeded.length,
      bytes: files.unneeded.reduce((sum, { bytes }) => sum + bytes, 0),
      ...(files.problem === undefined ? {} : { problem: files.problem }),
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A hold counts as it is here; only where the set is not, as it was when it was copied. */
function judge(sets: readonly SetAtCopy[], here: readonly SetHere[], rules: KeepRules): Verdict[] {
  const usable = sets.flatMap(({ set, state, signed, hold }) => {
    if (!signed) return [];
    const local = here.find((each) => each.signed.manifest.set === set);
    const held = local ? local.hold : hold?.reason;
    const { createdAt, database, rewrapOf } = signed.manifest;
    return [
      {
        ...{ set, createdAt, database, parents: [], verified: state === 'verified' },
        ...(held === undefined ? {} : { hold: held }),
        ...(rewrapOf === undefined ? {} : { rewrapOf }),
      },
    ];
  });
  return retention(withParents(usable), rules);
}

/** So that a hold counts there also when the repository, and who held what, is gone; and no longer than here. */
async function bringHolds(
  { call, here }: Pruning,
  remote: Remote,
  sets: readonly SetAtCopy[],
): Promise<void> {
  const { deployment, input, signal } = call;
  for (const { set, hold } of sets) {
    const local = here.find((each) => each.signed.manifest.set === set);
    if (!local || (local.hold === undefined) === (hold === undefined)) continue;
    const folder = copyFolders(input.deployment, set).set;
    if (hold) await removeFiles(remote, folder, [HOLD], { signal });
    else
      await upload(remote, setFolder(deployment.backup, input.deployment, set), folder, [HOLD], { signal });
  }
}

/**
 * Those that the repository lets go, and all of a set that goes here: a snapshot was begun after its set and before the
 * next one, so that nothing of it needs to be read.
 */
async function snapshotsToGo(
  { call, goingSnapshots }: Pruning,
  remote: Remote,
  sets: readonly SetAtCopy[],
  going: readonly string[],
): Promise<string[]> {
  const ids = await idsAt(remote, call.input.deployment, call.signal);
  const complete = sets.flatMap(({ set, signed }) =>
    signed ? [{ set, at: signed.manifest.createdAt }] : [],
  );
  const isGoing = (id: string): boolean => {
    if (goingSnapshots.includes(id)) return true;
    // A set that was only being made when the snapshot was begun is not the one.
    const before = complete.filter(({ at }) => at <= startOfId(id)).sort((a, b) => (a.at < b.at ? 1 : -1));
    const moment = before[0]?.at;
    return moment !== undefined && before.every(({ at, set }) => at !== moment || going.includes(set));
  };
  return ids.filter((id) => SNAPSHOT_ID.test(id) && isGoing(id));
}

interface FilesToGo {
  readonly unneeded: readonly FileThere[];
  readonly unknown: readonly string[];
  /** Why none of them may go. */
  readonly problem?: string;
}

/** Every set that stays there or here must say what it needs: where one cannot, nothing goes. */
async function filesToGo(
  pruning: Pruning,
  remote: Remote,
  sets: readonly SetAtCopy[],
  going: readonly string[],
  scratch: string,
): Promise<FilesToGo> {
  const { call, here } = pruning;
  const opaque = sets.find((each) => each.opaque);
  if (opaque)
    return {
      ...{ unneeded: [], unknown: [] },
      problem: `files of the database backups all stay, as nobody knows which of them ${opaque.set} (${opaque.state}) needs`,
    };
  const staying = [
    ...sets.flatMap(({ set, signed }) => (signed && !going.includes(set) ? [{ signed, there: true }] : [])),
    ...here.filter(({ stays }) => stays).map(({ signed }) => ({ signed, there: false })),
  ];
  const needed = new Map<string, NeededFiles>();
  for (const { signed, there } of staying) {
    const { set, database } = signed.manifest;
    if (database?.method !== 'pgbackrest' || needed.has(signed.sha256)) continue;
    call.progress(`${pruning.copy.name}: what ${set} needs`);
    const files = await listOf(pruning, signed, there, scratch);
    const { generation, walStart } = database;
    needed.set(signed.sha256, { generation, walStart, files: new Set(files.map(({ path }) => path)) });
  }
  const there = await listFiles(remote, `${call.input.deployment}/pgbackrest`, { signal: call.signal });
  return unneededFiles(there, [...needed.values()]);
}

/** The set's own list of files: from here, or where it is not here any more, from the copy. */
async function listOf(
  { call, copy, here }: Pruning,
  { manifest, sha256 }: SignedManifest,
  there: boolean,
  scratch: string,
): Promise<RepositoryFile[]> {
  const where = setOf(call, manifest.set);
  const local = here.some((each) => each.signed.sha256 === sha256);
  const alone = there && !local;
  return readPart<RepositoryFile[]>(
    alone ? { ...where, cache: scratch, deployment: onlyCopy(call.deployment, copy.name, scratch) } : where,
    manifest,
    'pgbackrest-files',
  );
}

async function remove(
  { call, copy }: Pruning,
  remote: Remote,
  sets: readonly string[],
  files: readonly FileThere[],
): Promise<void> {
  const { deployment, input, signal } = call;
  const folder = `${input.deployment}/pgbackrest`;
  const ledger = await CopyLedger.open(
    ledgerFile(deployment.backup, input.deployment, copy.name),
    remoteText(copy),
  );
  // What is noted as sent is not sent again: forgotten first, or a cut in between would leave a hole for good.
  ledger.forget(files.map(({ path }) => `${folder}/${path}`));
  ledger.forget(
    ledger.paths().filter((path) => sets.some((set) => path.startsWith(`${input.deployment}/${set}/`))),
  );
  await ledger.save();
  for (const set of sets) {
    call.progress(`${copy.name}: deleting ${set}`);
    await deleteSetAtCopy(remote, input.deployment, set, { signal });
  }
  call.progress(`${copy.name}: deleting ${files.length} files of the database's repository`);
  await removeFiles(
    remote,
    folder,
    files.map(({ path }) => path),
    { signal },
  );
  if (files.length > 0) await removeEmptyFolders(remote, folder, { signal });
}

function orphansOf(sets: readonly SetAtCopy[], here: readonly SetHere[]): string[] {
  return sets
    .filter((each) => !isUsable(each) && !each.condemned)
    .map(({ set, state }) => {
      const coming = here.some(({ signed, stays }) => stays && signed.manifest.set === set);
      return `${set} (${coming ? 'partly copied' : state})`;
    });
}
