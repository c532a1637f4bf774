/** How well clients were served, and what was promised of it. Pure; plain JSON. */

/** Service level objectives: what is not stated is not held against anything. The guide names none by tier. */
export interface Slos {
  /** Share of requests with an answer that does not blame the server, percent; at least. */
  readonly availabilityPercent?: number | undefined;
  /** Milliseconds; at most. */
  readonly p50Ms?: number | undefined;
  readonly p95Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  /** Share of requests that were not answered as they must be, percent; at most. */
  readonly errorPercent?: number | undefined;
  /** Requests that were answered as they must be, a second; at least. */
  readonly requestsPerSecond?: number | undefined;
}

export interface ServiceFigures {
  readonly fromAt: string;
  readonly untilAt: string;
  readonly requests: number;
  readonly availabilityPercent: number;
  readonly errorPercent: number;
  /** Null: so many requests were not served at all that this share of them was never reached. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Answered as they must be, a second. */
  readonly requestsPerSecond: number;
}

/** By what a client outside wrote down (`before`, `during`), and by a load of our own (`after`). */
export interface Performance {
  readonly before?: ServiceFigures;
  readonly during?: ServiceFigures;
  readonly after?: ServiceFigures;
}

/** One request: from when it was due, whenever it could be sent. */
export interface Sample {
  readonly ms: number;
  /** An answer that does not blame the server. */
  readonly available: boolean;
  /** As it must be. */
  readonly right: boolean;
}

/** Undefined without any request: nothing is known then. */
export function figuresOf(
  samples: readonly Sample[],
  fromMs: number,
  untilMs: number,
): ServiceFigures | undefined {
  if (samples.length === 0) return undefined;
  const served = samples.filter((sample) => sample.available).map(({ ms }) => ms);
  served.sort((a, b) => a - b);
  const right = samples.filter((sample) => sample.right).length;
  // The nearest rank, over all requests: one that was not served is slower than any that was, however fast its 503.
  const percentile = (percent: number): number | null =>
    served[Math.ceil((samples.length * percent) / 100) - 1] ?? null;
  return {
    fromAt: new Date(fromMs).toISOString(),
    untilAt: new Date(untilMs).toISOString(),
    requests: samples.length,
    availabilityPercent: share(served.length, samples.length),
    errorPercent: share(samples.length - right, samples.length),
    p50Ms: percentile(50),
    p95Ms: percentile(95),
    p99Ms: percentile(99),
    requestsPerSecond: Math.round((10_000 * right) / Math.max(1, untilMs - fromMs)) / 10,
  };
}

/** Two digits behind the point are enough to be read; the rest decides nothing that was promised. */
function share(part: number, whole: number): number {
  return Math.round((10_000 * part) / whole) / 100;
}

export interface SloResult {
  readonly name: string;
  readonly expected: string;
  readonly actual: string;
  readonly met: boolean;
}

const TEXTS: Readonly<Record<keyof Slos, { readonly name: string; readonly unit: string }>> = {
  availabilityPercent: { name: 'availability', unit: '%' },
  errorPercent: { name: 'error rate', unit: '%' },
  p50Ms: { name: 'p50', unit: 'ms' },
  p95Ms: { name: 'p95', unit: 'ms' },
  p99Ms: { name: 'p99', unit: 'ms' },
  requestsPerSecond: { name: 'capacity reached', unit: 'requests/s' },
};
/** In the order in which they are read. */
export const SLO_NAMES = Object.keys(TEXTS) as (keyof Slos)[];
const AT_LEAST: readonly (keyof Slos)[] = ['availabilityPercent', 'requestsPerSecond'];

/** One for each objective that is stated. */
export function sloResults(figures: ServiceFigures, slos: Slos): SloResult[] {
  return SLO_NAMES.flatMap((key): SloResult[] => {
    const limit = slos[key];
    if (limit === undefined) return [];
    const value = figures[key];
    const least = AT_LEAST.includes(key);
    return [
      {
        name: TEXTS[key].name,
        expected: `${least ? 'at least' : 'at most'} ${limit} ${TEXTS[key].unit}`,
        actual: value === null ? 'not served' : `${value} ${TEXTS[key].unit}`,
        met: value !== null && (least ? value >= limit : value <= limit),
      },
    ];
  });
}

/** `availability at least 99 %, p95 at most 250 ms`; empty where none is stated. */
export function slosText(slos: Slos): string {
  return SLO_NAMES.flatMap((key) =>
    slos[key] === undefined
      ? []
      : [
          `${TEXTS[key].name} ${AT_LEAST.includes(key) ? 'at least' : 'at most'} ${slos[key]} ${TEXTS[key].unit}`,
        ],
  ).join(', ');
}

/** `500 requests: availability 100 %, error rate 0 %, p50 3 ms, p95 8 ms, p99 12 ms, 50 requests/s` */
export function figuresText(figures: ServiceFigures): string {
  const { requests, availabilityPercent, errorPercent, p50Ms, p95Ms, p99Ms, requestsPerSecond } = figures;
  const ms = (value: number | null): string => (value === null ? 'not served' : `${value} ms`);
  return `${requests} requests: availability ${availabilityPercent} %, error rate ${errorPercent} %, p50 ${ms(p50Ms)}, p95 ${ms(p95Ms)}, p99 ${ms(p99Ms)}, ${requestsPerSecond} requests/s`;
}
