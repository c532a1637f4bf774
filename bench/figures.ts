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
