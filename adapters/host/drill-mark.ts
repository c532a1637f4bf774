import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepInput } from '../../domain/plan.ts';
import { writeDurably } from '../files/durable.ts';
import { readJson } from '../files/read-json.ts';
import type { Listing } from './listing.ts';

/**
 * The mark of a drill in the state folder of its site: while it is there, what runs is a rehearsal, and what is needed
 * to take it back stands in it. It outlives any crash; the tear-down removes it last.
 */

export interface DrillMark {
  readonly run: string;
  /** What the clean-up needs to call the steps' undo. */
  readonly input: StepInput;
}

/** In the state folder: the mark, and what was there before. */
export const DRILL_FILES = ['drill.json', 'drill-before.json'] as const;
const [MARK, BEFORE] = DRILL_FILES;

export async function readDrillMark(stateDir: string): Promise<DrillMark | undefined> {
  return read<DrillMark>(join(stateDir, MARK));
}

export async function readListing(stateDir: string): Promise<Listing | undefined> {
  return read<Listing>(join(stateDir, BEFORE));
}

/** The list first: whoever finds the mark finds it as well. */
export async function writeDrillMark(stateDir: string, mark: DrillMark, before: Listing): Promise<void> {
  await writeDurably(join(stateDir, BEFORE), JSON.stringify(before));
  await writeDurably(join(stateDir, MARK), JSON.stringify(mark));
}

export async function removeDrillMark(stateDir: string): Promise<void> {
  for (const file of DRILL_FILES) await rm(join(stateDir, file), { force: true });
}

async function read<T>(file: string): Promise<T | undefined> {
  try {
    return (await readJson(file)) as unknown as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
