import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes changes of names survive a power cut: a rename counts only once its folder is on the disk. */

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function durableRename(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** A small file, whole or not at all. */
export async function writeDurably(file: string, data: string | Buffer, mode = 0o600): Promise<void> {
  const fresh = `${file}.new`;
  await writeSynced(fresh, data, 'w', mode);
  await durableRename(fresh, file);
}

/** The same, but never over one that is there, however many try it at the same time. @returns false where one is */
export async function createDurably(file: string, data: string | Buffer): Promise<boolean> {
  const fresh = `${file}.${randomBytes(4).toString('hex')}.new`;
  try {
    await writeSynced(fresh, data, 'wx', 0o600);
    await link(fresh, file);
    await syncFolder(dirname(file));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(fresh, { force: true });
  }
}

async function writeSynced(file: string, data: string | Buffer, flags: string, mode: number): Promise<void> {
  const handle = await open(file, flags, mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
