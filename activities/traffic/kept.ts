import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../adapters/files/durable.ts';
import { readJsonIfThere } from '../../adapters/files/read-json.ts';
import type { Found } from './driver.ts';

/**
 * How the traffic stood before a run changed it, for an undo: one small file in the target's state folder, on the
 * host of the traffic's worker. There is one run at a time, so that of an earlier one is replaced.
 */

interface Kept {
  readonly run: string;
  readonly at: string;
  readonly found: Found;
}

/** Before the first effect; called again, it keeps what the first call saw. @returns what is kept */
export async function keepFound(stateDir: string, run: string, found: Found): Promise<Found> {
  const kept = await keptBy(stateDir, run);
  if (kept) return kept;
  await writeDurably(fileOf(stateDir), JSON.stringify({ run, at: new Date().toISOString(), found }));
  return found;
}

/** Undefined where the run has changed nothing, or its change has been put back. */
export async function keptBy(stateDir: string, run: string): Promise<Found | undefined> {
  const kept = await readJsonIfThere<Kept>(fileOf(stateDir));
  return kept?.run === run ? kept.found : undefined;
}

export async function forgetFound(stateDir: string): Promise<void> {
  await rm(fileOf(stateDir), { force: true });
}

const fileOf = (stateDir: string): string => join(stateDir, 'traffic-before.json');
