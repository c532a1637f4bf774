import { achievedRtoMs } from '../domain/clock.ts';
import type { RunRecord } from '../domain/run.ts';

/** The record for machines: the run itself, and the figures that people would otherwise compute from it. */

export function jsonReport(record: RunRecord): string {
  return JSON.stringify({ version: 1, ...withFigures(record) }, undefined, 2);
}

/** The last of the JSON lines that a command writes while it follows a run. */
export function jsonResultLine(record: RunRecord): string {
  return JSON.stringify({ version: 1, type: 'result', ...withFigures(record) });
}

/** What `achieved` adds is computed by nobody else. */
export function withFigures(record: RunRecord) {
  return { ...record, achieved: { rtoMs: achievedRtoMs(record.clock) ?? null, rpoMs: null } };
}
