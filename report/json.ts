import { achievedRtoMs, waitedMs } from '../domain/clock.ts';
import { lossSkew, rpoRange, rpoVerdict } from '../domain/loss.ts';
import { skewOf } from '../domain/points.ts';
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

/** What `achieved` and `waitedMs` add is computed by nobody else. */
export function withFigures(record: RunRecord) {
  const nowMs = Date.now();
  const waited = Object.fromEntries(
    (['approval', 'decision', 'pause'] as const).map((kind) => [kind, waitedMs(record, nowMs, kind)]),
  );
  const skewMs = skewOf(record.points ?? [])?.ms ?? null;
  return {
    ...record,
    achieved: {
      rtoMs: achievedRtoMs(record.clock) ?? null,
      /** At most; `rpoMinMs` at least. Null where a store was not measured: then the objective is not met. */
      rpoMs: rpoRange(record.losses)?.maxMs ?? null,
      rpoMinMs: rpoRange(record.losses)?.minMs ?? null,
      rpo: rpoVerdict(record.losses, record.objectives.rpoMs),
      skewMs,
      lossSkewMs: lossSkew(record.losses ?? [])?.ms ?? null,
    },
    /** Milliseconds that the run stood still for people: part of the RTO, shown apart. */
    waitedMs: waited,
  };
}
