import type { Wait } from './decision.ts';
import { formatDuration } from './duration.ts';
import { TIERS, type Tier } from './objectives.ts';
import type { ClockPoint, ClockPointName, RunRecord } from './run.ts';

/** The arithmetic of the RTO clock. Pure; times are UTC ISO strings. */

export function clockPoint(clock: readonly ClockPoint[], name: ClockPointName): ClockPoint | undefined {
  return clock.find((point) => point.name === name);
}

/** Where the RTO counts from: when it occurred; where that is unknown, was detected; else was declared. */
export function rtoBasis(clock: readonly ClockPoint[]): ClockPoint {
  const basis =
    clockPoint(clock, 'occurred') ?? clockPoint(clock, 'detected') ?? clockPoint(clock, 'declared');
  if (!basis) throw new Error('a clock without a declared time');
  return basis;
}

/** When the run had proven what it is for: the clients' address or, of one component, the component. */
export function verifiedPoint(clock: readonly ClockPoint[]): ClockPoint | undefined {
  return clockPoint(clock, 'traffic verified') ?? clockPoint(clock, 'component verified');
}

/** Milliseconds from the basis to verified traffic; undefined while (or if never) verified. */
export function achievedRtoMs(clock: readonly ClockPoint[]): number | undefined {
  const verified = verifiedPoint(clock);
  return verified ? Date.parse(verified.at) - Date.parse(rtoBasis(clock).at) : undefined;
}

interface Waited {
  readonly waits: readonly Wait[];
  readonly endedAt?: string;
}

/**
 * Milliseconds during which the run stood still for people: shown apart, never subtracted. Waits at the same time count
 * once.
 *
 * @param kind only waits of this kind; those of earlier records are for decisions
 */
export function waitedMs(record: Waited, nowMs: number, kind?: NonNullable<Wait['kind']>): number {
  const spans = record.waits
    .filter((wait) => kind === undefined || (wait.kind ?? 'decision') === kind)
    .map((wait) => {
      const end = wait.until ?? record.endedAt;
      return [Date.parse(wait.from), end ? Date.parse(end) : nowMs] as const;
    })
    .sort(([a], [b]) => a - b);
  let [sum, reached] = [0, 0];
  for (const [from, until] of spans) {
    sum += Math.max(0, until - Math.max(from, reached));
    reached = Math.max(reached, until);
  }
  return sum;
}

const WAITED_FOR = { approval: 'approvals', decision: 'decisions', pause: 'a resume' } as const;

/** The same by what was waited for, in words; none where nobody was. */
export function waitedTexts(record: Waited, nowMs: number): string[] {
  return (['approval', 'decision', 'pause'] as const).flatMap((kind) => {
    const ms = waitedMs(record, nowMs, kind);
    return ms > 0 ? [`${formatDuration(ms)} for ${WAITED_FOR[kind]}`] : [];
  });
}

/** From the start of the run to the verified traffic: what a forecast is held against. Undefined until then. */
export function tookMs(clock: readonly ClockPoint[]): number | undefined {
  const started = clockPoint(clock, 'started');
  const verified = verifiedPoint(clock);
  return started && verified ? Date.parse(verified.at) - Date.parse(started.at) : undefined;
}

export interface TierResult {
  readonly tier: Tier;
  /** Undefined where the tier's proofs did not all pass, or traffic was never verified. */
  readonly rtoMs: number | undefined;
  readonly proofs: number;
  readonly failed: number;
}

/** The RTO of each tier that was proven, most urgent first. Traffic moves for all tiers at once. */
export function rtoByTier(record: Pick<RunRecord, 'clock' | 'proofs'>): TierResult[] {
  return TIERS.flatMap((tier) => {
    const own = record.proofs.filter((proof) => proof.tier === tier && proof.verdict !== 'not-measured');
    if (own.length === 0) return [];
    const failed = own.filter((proof) => proof.verdict === 'fail').length;
    return [
      { tier, proofs: own.length, failed, rtoMs: failed === 0 ? achievedRtoMs(record.clock) : undefined },
    ];
  });
}
