import { formatDuration } from '../domain/duration.ts';
import type { RunSummary } from '../domain/run-summary.ts';
import type { DrillType } from '../domain/drill.ts';
import type { Outcome } from '../domain/run.ts';
import { columns } from './columns.ts';

/** Runs that have been, a line each. Pure. */

export interface HistoryEntry {
  readonly run: string;
  readonly deployment: string;
  readonly tier: string;
  readonly from: string;
  readonly to: string;
  readonly component?: string;
  readonly scenario: string;
  /** Present where it was a drill. */
  readonly drill?: DrillType;
  readonly exchange?: string;
  readonly reason: string;
  readonly actor: string;
  readonly declaredAt: string;
  readonly endedAt?: string;
  /** Null while it runs, and where it was cut off in Temporal. */
  readonly outcome: Outcome | null;
  /** The outcome; else `RUNNING` with its phase, or how it was cut off. */
  readonly state: string;
  readonly rto: {
    readonly targetMs: number;
    readonly achievedMs: number | null;
    readonly met: boolean | null;
  };
  /** `achievedMs` at most, `leastMs` at least; null where a store was not measured, which is never met. */
  readonly rpo: {
    readonly targetMs: number;
    readonly achievedMs: number | null;
    readonly leastMs: number | null;
    readonly met: boolean | null;
  };
  readonly exceptions: number;
  /** Where it was found: `repository` outlives Temporal. */
  readonly keptIn: 'repository' | 'temporal';
}

export function historyEntry(
  summary: RunSummary,
  keptIn: HistoryEntry['keptIn'],
  cutOff?: string,
): HistoryEntry {
  const { objectives, achievedRtoMs = null, outcome = null, loss } = summary;
  return {
    run: summary.run,
    deployment: summary.deployment,
    tier: summary.tier,
    from: summary.from,
    to: summary.to,
    ...(summary.component === undefined ? {} : { component: summary.component }),
    scenario: summary.scenario,
    ...(summary.drill === undefined ? {} : { drill: summary.drill }),
    ...(summary.exchange === undefined ? {} : { exchange: summary.exchange }),
    reason: summary.reason,
    actor: summary.actor,
    declaredAt: summary.clock.find(({ name }) => name === 'declared')?.at ?? summary.clock[0]?.at ?? '',
    ...(summary.endedAt === undefined ? {} : { endedAt: summary.endedAt }),
    outcome,
    state: outcome ?? cutOff ?? `RUNNING, ${summary.phase}`,
    rto: {
      targetMs: objectives.rtoMs,
      achievedMs: achievedRtoMs,
      met: achievedRtoMs === null ? (outcome === null ? null : false) : achievedRtoMs <= objectives.rtoMs,
    },
    rpo: {
      targetMs: objectives.rpoMs,
      achievedMs: loss?.maxMs ?? null,
      leastMs: loss?.minMs ?? null,
      met: outcome === null ? null : loss !== undefined && loss.maxMs <= objectives.rpoMs,
    },
    exceptions: summary.exceptions,
    keptIn,
  };
}

const HEADINGS = ['RUN', 'DEPLOYMENT', 'DECLARED', 'WHAT', 'OUTCOME', 'RTO ACHIEVED', 'BY', 'REASON'];

/** Newest first, as they come. */
export function historyLines(entries: readonly HistoryEntry[]): string[] {
  return columns([
    HEADINGS,
    ...entries.map((entry) => [
      entry.run,
      entry.deployment,
      entry.declaredAt.replace(/\.\d+Z$/, 'Z'),
      `${kindText(entry)}${entry.component ?? 'everything'} from ${entry.from} to ${entry.to}`,
      entry.state,
      rtoText(entry),
      entry.actor,
      entry.reason.replaceAll(/\s+/g, ' ').slice(0, 60),
    ]),
  ]);
}

const kindText = ({ drill, exchange }: HistoryEntry): string =>
  drill === undefined ? (exchange === undefined ? '' : `${exchange}: `) : `${drill} drill: `;

export function rtoText({ rto, outcome }: HistoryEntry): string {
  const target = formatDuration(rto.targetMs);
  if (rto.achievedMs === null) return outcome === null ? `of ${target}` : `not reached, of ${target}`;
  return `${formatDuration(rto.achievedMs)} of ${target} ${rto.met ? 'MET' : 'MISSED'}`;
}
