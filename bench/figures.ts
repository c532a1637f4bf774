/** The arithmetic of the comparison. Pure. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  };
}

/** Run by run, as the runs alternate: what disturbs the machine for a while disturbs both sides of a ratio. */
export function ratioSpread(over: readonly number[], under: readonly number[]): Spread {
  return spread(over.map((value, index) => value / under[index]!));
}

/** How long a client's calls took, in milliseconds: the longest, and all but one in a hundred. */
export interface Latency {
  readonly calls: number;
  readonly maxMs: number;
  readonly p99Ms: number;
}

export function latencyOf(timesMs: readonly number[]): Latency {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (index: number): number => sorted[Math.max(0, index)] ?? 0;
  return {
    calls: sorted.length,
    maxMs: at(sorted.length - 1),
    p99Ms: at(Math.ceil(sorted.length * 0.99) - 1),
  };
}

/** A goal of the issues, and whether it was reached; the bench judges itself, at whatever scale it ran. */
export interface Verdict {
  readonly what: string;
  readonly actual: number;
  readonly limit: number;
  readonly unit: 'ratio' | 'ms' | 'bytes';
  /** `most`: the limit must not be exceeded; `least`: it must be reached. */
  readonly bound: 'most' | 'least';
  readonly met: boolean;
}

export function judge(
  what: string,
  actual: number,
  limit: number,
  unit: Verdict['unit'],
  bound: Verdict['bound'] = 'most',
): Verdict {
  // What is no number was not measured, and has not met anything.
  const met = bound === 'most' ? actual <= limit : actual >= limit;
  return { what, actual, limit, unit, bound, met };
}
