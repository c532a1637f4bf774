import { segmentOf } from './repository-extras.ts';

/** What of the pgBackRest repositories at a copy no set needs any more. Pure: by paths, and what the sets list. */

export interface NeededFiles {
  readonly generation: string;
  /** Relative to the folder of the generation. */
  readonly files: ReadonlySet<string>;
  readonly walStart: string;
}

export interface FileThere {
  /** Relative to the folder of the repositories: the generation comes first. */
  readonly path: string;
  readonly bytes: number;
}

/** What pgBackRest keeps, and we copy. */
const BACKUP = /^backup\/[^/]+\/\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?\/./;
const ARCHIVE = /^archive\/[^/]+\/\d+(\.\d+)?-\d+\/./;
const CATALOGUE = /^(backup\/[^/]+\/backup|archive\/[^/]+\/archive)\.info(\.copy)?$/;

/**
 * WAL stays from the oldest set on that stays, as it does here: between two sets one can recover to any moment.
 *
 * @returns what may go, and what is no file of a repository at all: nobody knows what it is, so it stays.
 */
export function unneededFiles(
  there: readonly FileThere[],
  needed: readonly NeededFiles[],
): { readonly unneeded: FileThere[]; readonly unknown: string[] } {
  const unneeded: FileThere[] = [];
  const unknown: string[] = [];
  for (const file of there) {
    const [generation, ...rest] = file.path.split('/');
    const path = rest.join('/');
    const sets = needed.filter((set) => set.generation === generation);
    if (!BACKUP.test(path) && !ARCHIVE.test(path) && !CATALOGUE.test(path)) unknown.push(file.path);
    else if (!isNeeded(path, sets)) unneeded.push(file);
  }
  return { unneeded, unknown };
}

function isNeeded(path: string, sets: readonly NeededFiles[]): boolean {
  if (sets.length === 0) return false;
  if (CATALOGUE.test(path) || sets.some(({ files }) => files.has(path))) return true;
  if (BACKUP.test(path)) return false;
  const segment = segmentOf(path);
  // Histories of timelines are small, and the way from one to the next.
  return segment === undefined || sets.some(({ walStart }) => segment >= walStart);
}
