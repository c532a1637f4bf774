import { readdir, readFile, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { durableRename, writeDurably } from '../files/durable.ts';

/**
 * Letting go of a set, and holding on to one. A set that is being deleted loses its manifest first: from then on it
 * is no backup, whatever still lies there, and the next call goes on where a killed one stopped.
 */

const MANIFEST = 'manifest.json';
/** The manifest of a set that is being deleted, here and at copies. */
export const CONDEMNED = 'manifest.json.deleted';
export const HOLD = 'hold.json';

/** @param folder of one set. Tolerates one that is gone already. */
export async function deleteSet(folder: string): Promise<void> {
  await durableRename(join(folder, MANIFEST), join(folder, CONDEMNED)).catch(ignoreMissing);
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    if (name !== CONDEMNED) await rm(join(folder, name), { recursive: true, force: true });
  }
  await rm(folder, { recursive: true, force: true });
}

/** Whether a deletion was begun here and has not come to its end. */
export async function isCondemned(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [] as string[])).includes(CONDEMNED);
}

const holdSchema = z.object({ reason: z.string(), actor: z.string(), at: z.string() });
export type Hold = z.output<typeof holdSchema>;

/** Undefined where nobody holds the set; a damaged note still holds it. */
export async function readHold(folder: string): Promise<Hold | undefined> {
  const text = await readFile(join(folder, HOLD), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return holdSchema.parse(JSON.parse(text));
  } catch {
    return { reason: 'a note that cannot be read', actor: 'unknown', at: 'unknown' };
  }
}

export function writeHold(folder: string, hold: Hold): Promise<void> {
  return writeDurably(join(folder, HOLD), `${JSON.stringify(hold)}\n`);
}

export async function removeHold(folder: string): Promise<void> {
  await unlink(join(folder, HOLD)).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
