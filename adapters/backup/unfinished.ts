import { readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isSetOrSnapshot, snapshotKind } from '../../domain/snapshot.ts';

/**
 * The folder of a set that is being made holds a note of who makes it. One set of a deployment is made at a time, and
 * one snapshot of each kind: a note without a manifest, in the folder of any other of the same kind, is what a failed or
 * killed run has left.
 */

const NOTE = 'making.json';
const MANIFEST = 'manifest.json';

/** The first of the parts that begins writes it; they do so at the same time. */
export async function noteMaking(folder: string, run: string): Promise<void> {
  const note = { run, host: hostname(), at: new Date().toISOString() };
  await writeFile(join(folder, NOTE), `${JSON.stringify(note)}\n`, { flag: 'wx', mode: 0o600 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
}

/** The manifest says it now. A repository from which nobody may delete keeps the note, which does no harm. */
export async function noteMade(folder: string): Promise<void> {
  await unlink(join(folder, NOTE)).catch(() => undefined);
}

/**
 * @param current the set or snapshot that is being made.
 * @returns sets that may not be removed: nothing counts them, but they take space.
 */
export async function removeUnfinished(deploymentFolder: string, current: string): Promise<string[]> {
  const left: string[] = [];
  const found = await readdir(deploymentFolder).catch(() => [] as string[]);
  const alike = (name: string): boolean =>
    isSetOrSnapshot(name) && snapshotKind(name) === snapshotKind(current);
  for (const set of found.filter(alike)) {
    if (set === current) continue;
    const folder = join(deploymentFolder, set);
    const names = await readdir(folder).catch(() => [] as string[]);
    if (!names.includes(NOTE) || names.includes(MANIFEST)) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => void left.push(set));
  }
  return left;
}
