import type { WitnessSummary } from './run.ts';

/** Sums up a client's requests into what a report shows. Pure. */

export interface WitnessLine {
  readonly at: string;
  readonly status: number;
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
