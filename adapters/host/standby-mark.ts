import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../files/durable.ts';
import { readJsonIfThere } from '../files/read-json.ts';

/**
 * The mark of a standby in the state folder of its site: its stores run and are replicas of another site's, so that it is
 * not a site that serves, however alive it looks. A failover removes it once the other site is fenced.
 */

export interface StandbyMark {
  /** The site whose stores are followed. */
  readonly of: string;
  readonly run: string;
  readonly at: string;
  /** Who had given the site up, before it became a standby: its fence, as it stood. */
  readonly fencedBy?: string;
}

export const standbyFile = (stateDir: string): string => join(stateDir, 'standby.json');

export function readStandbyMark(stateDir: string): Promise<StandbyMark | undefined> {
  return readJsonIfThere(standbyFile(stateDir));
}

export async function writeStandbyMark(stateDir: string, mark: StandbyMark): Promise<void> {
  await writeDurably(standbyFile(stateDir), JSON.stringify(mark));
}

/** @returns whether there was one. */
export async function removeStandbyMark(stateDir: string): Promise<boolean> {
  const was = await readStandbyMark(stateDir);
  await rm(standbyFile(stateDir), { force: true });
  return was !== undefined;
}
