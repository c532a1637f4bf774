import { setMaxListeners } from 'node:events';
import { setFolder, verifyObjects } from '../adapters/backup/repository.ts';
import type { Site } from '../domain/config.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Proof } from '../domain/run.ts';
import { methodOf } from './database/choose.ts';
import type { Note } from './database/method.ts';
import type { BackupCall, Call } from './guard.ts';
import { checkPart, checkSealedParts, setOf, type Where } from './open-set.ts';

/** Reads all of a set to its end. `recover` and `verify` both call this: neither finds less than the other. */

export interface CheckedSet {
  readonly objects: number;
  /** What the method of the database has seen. */
  readonly database: readonly Proof[];
  /** Damage that a restore gets along with, in words: somebody must hear of it all the same. */
  readonly doubts: readonly string[];
  /** What came from an off-site copy, and why. */
  readonly copied: readonly string[];
  /** The first WAL segment behind the set that is gone although later ones are there: no end of the archive then. */
  readonly walGap?: string;
}

/**
 * @param database that of the site whose method restores it; undefined where nobody means to.
 * @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, WRONG_AGE_KEY, WAL_MISSING, REPOSITORY_UNREADABLE
 */
export async function checkSet(
  call: Call | BackupCall,
  manifest: Manifest,
  database: Site['database'],
): Promise<CheckedSet> {
  const copied: string[] = [];
  const where: Where = { ...setOf(call), note: (text) => void copied.push(text) };
  const { backup } = where.deployment;
  // Where there are copies, what is not whole here comes from there while it is read.
  if (backup.copies.length === 0) {
    await verifyObjects(setFolder(backup, where.name, manifest.set), manifest);
    await checkSealedParts(where, manifest);
  }
  const doubts: string[] = [];
  let walGap: string | undefined;
  let proofs: Proof[] = [];
  const note: Note = (kind, what) => {
    if (kind === 'copy') copied.push(what);
    else if (kind === 'damage') doubts.push(what);
    else walGap = what;
  };
  await together(call, (each) => [
    ...(database && manifest.database
      ? [
          methodOf(database)
            .checkBackup(each, manifest, note)
            .then((found) => void (proofs = found)),
        ]
      : []),
    ...readEveryObject(each, { ...where, signal: each.signal }, manifest),
  ]);
  return {
    objects: manifest.objects.length,
    database: proofs,
    doubts,
    copied,
    ...(walGap === undefined ? {} : { walGap }),
  };
}

/** Does all at the same time; the first failure ends the others, and is the one that is thrown when all have ended. */
async function together<T extends Call | BackupCall>(
  call: T,
  work: (call: T) => Promise<void>[],
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([call.signal, stop.signal]);
  // Every file that is being read listens to it: more than ten at a time are no leak.
  setMaxListeners(0, signal);
  const all = work({ ...call, signal });
  try {
    await Promise.all(all);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(all);
    throw error;
  }
}

/** Opening a small object is mostly the start of two processes. */
const READERS = 3;

/** A few at a time. Decrypts each to nowhere: the one way to know that our identity opens it and that no bit has flipped. */
function readEveryObject(call: Call | BackupCall, where: Where, manifest: Manifest): Promise<void>[] {
  const names = manifest.objects.map(({ name }) => name);
  const reader = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      call.progress(`reading ${name}`);
      await checkPart(where, manifest, name);
    }
  };
  return Array.from({ length: READERS }, reader);
}
