import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { MeasureOutageResult } from '../domain/plan.ts';
import { summariseWitness, witnessPerformance, type WitnessLine } from '../domain/witness.ts';
import { guarded, type Call, type Deps } from './guard.ts';

/** What a client outside saw. It measures; it never fails a recovery that serves. */

/** What is shown from before the disaster, so that the picture begins with a healthy site. */
const BEFORE_MS = 5_000;
/** How well clients were served before it: what a site is held against must be longer than one slow moment. */
const HEALTHY_MS = 5 * 60_000;
/** The newest part of the file is enough for any outage that a person would look at as a picture. */
const MOST_BYTES = 64 * 1024 * 1024;

export function createWitnessActivities(deps: Deps) {
  return { 'measure-outage': guarded(deps, 'probe', measureOutage) };
}

async function measureOutage({ deployment, input }: Call): Promise<MeasureOutageResult> {
  const [basisMs, untilMs] = [Date.parse(input.basisAt), Date.now()];
  const fromMs = basisMs - HEALTHY_MS;
  const lines = await readTail(deployment.witness!, fromMs);
  const witness = summariseWitness(lines, basisMs - BEFORE_MS, untilMs);
  const span =
    witness.firstFailedAt === undefined ? '' : `, from ${witness.firstFailedAt} to ${witness.lastFailedAt}`;
  return {
    summary: `${witness.failed} of ${witness.requests} requests failed${span}`,
    witness,
    performance: witnessPerformance(lines, { fromMs, basisMs, untilMs }),
  };
}

/** Line by line: whatever the size of the file, only what lies in the window is kept. */
async function readTail(path: string, fromMs: number): Promise<WitnessLine[]> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return [];
  const start = Math.max(0, size - MOST_BYTES);
  const lines = createInterface({ input: createReadStream(path, { start, end: size - 1 }) });
  const kept: WitnessLine[] = [];
  // The first line may be cut, and the last may still be being written: neither parses.
  for await (const text of lines) {
    const line = parseLine(text);
    if (line && Date.parse(line.at) >= fromMs) kept.push(line);
  }
  return kept;
}

function parseLine(line: string): WitnessLine | undefined {
  try {
    const { at, status, ms } = JSON.parse(line) as WitnessLine;
    if (typeof at !== 'string' || typeof status !== 'number') return undefined;
    return { at, status, ...(typeof ms === 'number' ? { ms } : {}) };
  } catch {
    return undefined;
  }
}
