import { achievedRtoMs } from '../domain/clock.ts';
import type { RunRecord } from '../domain/run.ts';

/** The record for machines: the run itself, and the figures that people would otherwise compute from it. */
export function jsonReport(record: RunRecord): string {
  return JSON.stringify(
    { ...record, achieved: { rtoMs: achievedRtoMs(record.clock) ?? null, rpoMs: null } },
    undefined,
    2,
  );
}
