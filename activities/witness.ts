import { open } from 'node:fs/promises';
import type { MeasureOutageResult } from '../domain/plan.ts';
import { summariseWitness, type WitnessLine } from '../domain/witness.ts';
import { guarded, type Call, type Deps } from './guard.ts';

/** What a client outside saw. It measures; it never fails a recovery that serves. */

/** What is shown from before the disaster, so that the picture begins with a healthy site. */
const BEFORE_MS = 5_000;
/** The newest part of the file is enough for any outage that a person would look at as a picture. */
const MOST_BYTES = 64 * 1024 * 1024;

export function createWitnessActivities(deps: Deps) {
  return { 'measure-outage': guarded(deps, 'probe', measureOutage) };
}

async function measureOutage({ deployment, input }: Call): Promise<MeasureOutageResult> {
  const fromMs = Date.parse(input.basisAt) - BEFORE_MS;
  const lines = await readTail(deployment.witness!);
  const witness = summariseWitness(lines, fromMs, Date.now());
  const span =
    witness.firstFailedAt === undefined ? '' : `, from ${witness.firstFailedAt} to ${witness.lastFailedAt}`;
  return { summary: `${witness.failed} of ${witness.requests} requests failed${span}`, witness };
}

async function readTail(path: string): Promise<WitnessLine[]> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (!handle) return [];
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, MOST_BYTES);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    // The first line may be cut, and the last may still be being written.
    return buffer
      .toString('utf8')
      .split('\n')
      .slice(size > length ? 1 : 0)
      .flatMap(parseLine);
  } finally {
    await handle.close();
  }
}

function parseLine(line: string): WitnessLine[] {
  try {
    const { at, status } = JSON.parse(line) as WitnessLine;
    return typeof at === 'string' && typeof status === 'number' ? [{ at, status }] : [];
  } catch {
    return [];
  }
}
