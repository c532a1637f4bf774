import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { readJsonIfThere } from '../files/read-json.ts';

/**
 * The lease on a site's host: which run is in command. It stands outside Temporal, so that a step of an older run
 * that wakes up late is refused by the host itself. Every mutating step takes it or finds that it holds it.
 */

export interface Lease {
  /** Unix milliseconds of the run's start: a newer run always has the larger one. */
  readonly epoch: number;
  readonly run: string;
}

/** @throws DrError SUPERSEDED where a newer run is in command. */
export async function takeCommand(stateDir: string, { epoch, run }: Lease, site: string): Promise<void> {
  const current = await readLease(stateDir);
  if (current && current.epoch > epoch) {
    throw new DrError('SUPERSEDED', { epoch, current: `${current.epoch} (${current.run})`, target: site });
  }
  if (current?.epoch === epoch) return;
  await mkdir(stateDir, { recursive: true });
  // Two parallel first steps of one run may both write: each its own file, both with the same lease.
  const draft = join(stateDir, `epoch.json.${process.pid}.${Math.random().toString(36).slice(2)}`);
  await writeFile(draft, JSON.stringify({ epoch, run }));
  await rename(draft, leaseFile(stateDir));
}

/** The run in command, or undefined. */
export function readLease(stateDir: string): Promise<Lease | undefined> {
  return readJsonIfThere(leaseFile(stateDir));
}

export const leaseFile = (stateDir: string): string => join(stateDir, 'epoch.json');
