import { achievedRtoMs, clockPoint, rtoBasis, waitedMs } from './clock.ts';
import type { RunSummary } from './run-summary.ts';

/** Where a run in flight will come out: its forecast, held against its RTO. Pure; times are UTC ISO strings. */
export interface Outlook {
  /** From when the RTO counts. */
  readonly basisAt: string;
  /** Milliseconds since then: to verified traffic, to the end of the run, or until now. */
  readonly elapsedMs: number;
  readonly rtoMs: number;
  /** When the RTO is, or was, used up. */
  readonly deadlineAt: string;
  /** When traffic should be verified: start + forecast + what was waited. Absent without a forecast, and once it is. */
  readonly expectedAt?: string;
  /** By how much the run is later than its forecast, milliseconds; absent while it is not. */
  readonly behindMs?: number;
  readonly verdict: 'met' | 'missed' | 'breached' | 'will breach' | 'in time' | 'no forecast';
}

export function outlook(
  summary: Pick<RunSummary, 'clock' | 'objectives' | 'waits' | 'forecastMs' | 'endedAt'>,
  nowMs: number,
): Outlook {
  const { clock, objectives, forecastMs, endedAt } = summary;
  const basisAt = rtoBasis(clock).at;
  const deadlineMs = Date.parse(basisAt) + objectives.rtoMs;
  const achieved = achievedRtoMs(clock);
  const untilMs = endedAt === undefined ? nowMs : Date.parse(endedAt);
  const common = {
    basisAt,
    elapsedMs: achieved ?? Math.max(0, untilMs - Date.parse(basisAt)),
    rtoMs: objectives.rtoMs,
    deadlineAt: new Date(deadlineMs).toISOString(),
  };
  if (achieved !== undefined) return { ...common, verdict: achieved <= objectives.rtoMs ? 'met' : 'missed' };
  // It has ended without verified traffic.
  if (endedAt !== undefined) return { ...common, verdict: 'missed' };
  const startedAt = clockPoint(clock, 'started')?.at;
  const forecastEndMs =
    forecastMs === undefined || startedAt === undefined
      ? undefined
      : Date.parse(startedAt) + forecastMs + waitedMs(summary, nowMs);
  const behindMs = forecastEndMs === undefined ? 0 : nowMs - forecastEndMs;
  const late = behindMs > 0 ? { behindMs } : {};
  const expected =
    forecastEndMs === undefined
      ? {}
      : // What is behind its forecast is not done before now.
        { expectedAt: new Date(Math.max(forecastEndMs, nowMs)).toISOString(), ...late };
  if (nowMs > deadlineMs) return { ...common, ...expected, verdict: 'breached' };
  if (forecastEndMs === undefined) return { ...common, verdict: 'no forecast' };
  return { ...common, ...expected, verdict: forecastEndMs > deadlineMs ? 'will breach' : 'in time' };
}
