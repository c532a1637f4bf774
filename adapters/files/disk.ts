import { lstat, opendir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DrError } from '../../domain/errors.ts';

/** Free bytes for an unprivileged writer on the filesystem that holds (or would hold) the path. */
export async function freeBytes(path: string): Promise<number> {
  for (let place = path; ; place = dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place);
      return bavail * bsize;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || place === '/') throw error;
    }
  }
}

/** Tells filesystems apart: of the path, or of where it would be made. */
export async function deviceOf(path: string): Promise<number> {
  for (let place = path; ; place = dirname(place)) {
    try {
      return (await stat(place)).dev;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || place === '/') throw error;
    }
  }
}

/** @throws DrError DISK_TOO_SMALL */
export async function requireFree(path: string, neededBytes: number): Promise<void> {
  const free = await freeBytes(path);
  if (free < neededBytes) throw new DrError('DISK_TOO_SMALL', { path, freeBytes: free, neededBytes });
}

/** Bytes of all files below a folder; 0 where there is none. */
export async function folderBytes(folder: string): Promise<number> {
  let total = 0;
  const entries = await opendir(folder).catch(() => undefined);
  if (!entries) return 0;
  for await (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) total += await folderBytes(path);
    else total += (await lstat(path).catch(() => undefined))?.size ?? 0;
  }
  return total;
}
