import { achievedRtoMs } from '../domain/clock.ts';
import type { RunRecord } from '../domain/run.ts';
import type { People } from './people.ts';

/** The record for machines: the run itself, and the figures that people would otherwise compute from it. */

/** @param people of the deployment, where its configuration is at hand. */
export function jsonReport(record: RunRecord, people?: People): string {
  return JSON.stringify({ version: 1, ...withFigures(record), ...shown(people) }, undefined, 2);
}

/** The last of the JSON lines that a command writes while it follows a run. */
export function jsonResultLine(record: RunRecord): string {
  return JSON.stringify({ version: 1, type: 'result', ...withFigures(record) });
}

/** Without what the configuration says for machines only. */
export function shown(people: People | undefined): Partial<People> {
  return people ? { contacts: people.contacts, vendorSupport: people.vendorSupport } : {};
}

/** What `achieved` adds is computed by nobody else. */
export function withFigures(record: RunRecord) {
  return { ...record, achieved: { rtoMs: achievedRtoMs(record.clock) ?? null, rpoMs: null } };
}
