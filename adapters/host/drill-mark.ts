import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepInput } from '../../domain/plan.ts';
import { writeDurably } from '../files/durable.ts';
import { readJsonIfThere } from '../files/read-json.ts';
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

const MARK = 'drill.json';

/** What was there before, as one worker sees it: several may serve one host, and each lists its own components. */
const before = (stateDir: string, worker: string): string => join(stateDir, `drill-before-${worker}.json`);

/** Whether a path is one of these files, or a draft of one: written and renamed within a moment. */
export function isDrillFile(stateDir: string, path: string): boolean {
  return (
    path.startsWith(`${stateDir}/`) &&
    /^drill(-before-[^/]+)?\.json[^/]*$/.test(path.slice(stateDir.length + 1))
  );
}

export function readDrillMark(stateDir: string): Promise<DrillMark | undefined> {
  return readJsonIfThere(join(stateDir, MARK));
}

export function readListing(stateDir: string, worker: string): Promise<Listing | undefined> {
  return readJsonIfThere(before(stateDir, worker));
}

/** The list first: whoever finds the mark finds it as well. */
export async function writeDrillMark(
  stateDir: string,
  worker: string,
  mark: DrillMark,
  listing: Listing,
): Promise<void> {
  await writeDurably(before(stateDir, worker), JSON.stringify(listing));
  await writeDurably(join(stateDir, MARK), JSON.stringify(mark));
}

export async function removeDrillMark(stateDir: string, worker: string): Promise<void> {
  for (const file of [join(stateDir, MARK), before(stateDir, worker)]) await rm(file, { force: true });
}
