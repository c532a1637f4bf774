import { open, rename } from 'node:fs/promises';
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
  const handle = await open(fresh, 'w', mode);
  try {
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await durableRename(fresh, file);
}
