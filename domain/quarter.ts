/** Quarters of the calendar, UTC: `2026-Q4`. Pure. */

export interface Quarter {
  readonly name: string;
  /** UTC ISO; the second is the first moment that is no longer in it. */
  readonly from: string;
  readonly until: string;
}

export function quarterOf(name: string): Quarter | undefined {
  const [, year, number] = /^(20\d{2})-Q([1-4])$/.exec(name) ?? [];
  if (year === undefined) return undefined;
  const start = (offset: number): string =>
    new Date(Date.UTC(Number(year), (Number(number) - 1 + offset) * 3, 1)).toISOString();
  return { name, from: start(0), until: start(1) };
}

export function quarterAt(now: string): Quarter {
  return quarterOf(`${now.slice(0, 4)}-Q${Math.floor((Number(now.slice(5, 7)) - 1) / 3) + 1}`)!;
}
