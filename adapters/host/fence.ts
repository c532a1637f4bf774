import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTakeoverMark } from './takeover-mark.ts';

/** The fence marker of a site: while the file exists, the site's start commands refuse. */

export const fenceFile = (stateDir: string): string => join(stateDir, 'fenced');

/** Who fenced the site and why, or undefined. */
export async function readFence(stateDir: string): Promise<string | undefined> {
  try {
    return (await readFile(fenceFile(stateDir), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A failover that was lost on its way to this site is not gone on with either: the site was given up since. */
export async function raiseFence(stateDir: string, by: string): Promise<void> {
  await mkdir(stateDir, { recursive: true });
  await writeFile(fenceFile(stateDir), `${by}\n`);
  await removeTakeoverMark(stateDir);
}

export async function lowerFence(stateDir: string): Promise<void> {
  await rm(fenceFile(stateDir), { force: true });
}
