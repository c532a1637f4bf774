import { chown, constants, copyFile, lstat, rename, rm } from 'node:fs/promises';

/** One file that a run rewrites: its first version stays beside it until the run has ended. */

const asideOf = (file: string, run: string): string => `${file}.tyk-dr-old-${run}`;

/** Keeps the version that was there before the run; a repeated call keeps that one. Nothing where there is none. */
export async function keepAside(file: string, run: string): Promise<void> {
  try {
    const { uid, gid } = await lstat(file);
    await copyFile(file, asideOf(file, run), constants.COPYFILE_EXCL);
    if (process.getuid?.() === 0) await chown(asideOf(file, run), uid, gid);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
}

/** @returns whether there was an earlier version to put back. */
export async function putBack(file: string, run: string): Promise<boolean> {
  try {
    await rename(asideOf(file, run), file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

export async function discardKept(file: string, run: string): Promise<void> {
  await rm(asideOf(file, run), { force: true });
}
