import type { WitnessSummary } from './run.ts';
import { figuresOf, type Performance } from './service-level.ts';

/** Sums up a client's requests into what a report shows. Pure. */

export interface WitnessLine {
  readonly at: string;
  readonly status: number;
  /** How long the answer took; a witness may leave it out. */
  readonly ms?: number;
}

/** Enough for a picture, few enough for a record. */
const MOST_BUCKETS = 240;
const SHORTEST_BUCKET_MS = 250;

/** No answer, or one that blames the server. 404 too: the witness asks for APIs that exist, so it means unloaded ones. */
export function isOutage(status: number): boolean {
  return status === 0 || status === 404 || status >= 500;
}

export function summariseWitness(
  lines: readonly WitnessLine[],
  fromMs: number,
  untilMs: number,
): WitnessSummary {
  const bucketMs = Math.max(SHORTEST_BUCKET_MS, Math.ceil((untilMs - fromMs) / MOST_BUCKETS));
  const buckets = new Map<number, { ok: number; failed: number }>();
  const failures: string[] = [];
  let requests = 0;
  for (const { at, status } of lines) {
    const time = Date.parse(at);
    if (!(time >= fromMs && time <= untilMs)) continue;
    requests += 1;
    const index = Math.floor((time - fromMs) / bucketMs);
    const bucket = buckets.get(index) ?? { ok: 0, failed: 0 };
    buckets.set(index, bucket);
    if (isOutage(status)) {
      bucket.failed += 1;
      failures.push(at);
    } else bucket.ok += 1;
  }
  failures.sort();
  return {
    requests,
    failed: failures.length,
    ...(failures.length === 0 ? {} : { firstFailedAt: failures[0]!, lastFailedAt: failures.at(-1)! }),
    bucketMs,
    buckets: [...buckets]
      .sort(([a], [b]) => a - b)
      .map(([index, counts]) => ({ at: new Date(fromMs + index * bucketMs).toISOString(), ...counts })),
  };
}

/**
 * How well clients were served before the disaster, and from then on until now. Undefined without lines that say how
 * long they took: nothing is known then.
 */
export function witnessPerformance(
  lines: readonly WitnessLine[],
  {
    fromMs,
    basisMs,
    untilMs,
  }: { readonly fromMs: number; readonly basisMs: number; readonly untilMs: number },
): Pick<Performance, 'before' | 'during'> {
  const between = (startMs: number, endMs: number) => {
    const own = lines.filter(({ at }) => Date.parse(at) >= startMs && Date.parse(at) < endMs);
    const samples = own.flatMap(({ status, ms }) =>
      ms === undefined ? [] : [{ ms, available: !isOutage(status), right: !isOutage(status) }],
    );
    const first = own[0];
    return first && figuresOf(samples, Math.max(startMs, Date.parse(first.at)), endMs);
  };
  const [before, during] = [between(fromMs, basisMs), between(basisMs, untilMs)];
  return { ...(before && { before }), ...(during && { during }) };
}
