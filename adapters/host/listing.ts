import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What lies in some folders, so that what is there later can be held against it. */

/** By path: of a file its size and time, else its kind. */
export type Listing = Readonly<Record<string, string>>;

/**
 * @param folders each with all that is below it; one that is not there is listed as nothing
 * @param ignore whole paths that come and go by themselves
 */
export async function listFolders(
  folders: readonly string[],
  ignore: (path: string) => boolean,
): Promise<Listing> {
  const found: Record<string, string> = {};
  for (const folder of folders) await walk(folder, ignore, found);
  return found;
}

async function walk(
  path: string,
  ignore: (path: string) => boolean,
  found: Record<string, string>,
): Promise<void> {
  if (ignore(path)) return;
  const stats = await lstat(path).catch(() => undefined);
  if (!stats) return;
  if (!stats.isDirectory()) {
    // Sockets and pipes come with a server that runs and go with it.
    found[path] = stats.isFile() ? `${stats.size} bytes of ${stats.mtime.toISOString()}` : 'no plain file';
    return;
  }
  found[path] = 'a folder';
  for (const name of await readdir(path).catch(() => [])) await walk(join(path, name), ignore, found);
}

export interface ListingChange {
  readonly path: string;
  readonly what: 'left' | 'gone' | 'changed';
}

/** What differs, in the order of the paths. */
export function listingChanges(before: Listing, after: Listing): ListingChange[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return paths.flatMap((path): ListingChange[] => {
    if (before[path] === undefined) return [{ path, what: 'left' }];
    if (after[path] === undefined) return [{ path, what: 'gone' }];
    return before[path] === after[path] ? [] : [{ path, what: 'changed' }];
  });
}
