/**
 * Watermarks: numbers that the beacon writes into each store, and into a journal outside once the store has
 * acknowledged them. A number is the Unix second in which it was to be written, or one more than the last where a clock
 * went back: two beacons write the same ones, and a restart goes on where the journal ends. Pure.
 */

export const MARKED_STORES = ['redis', 'database'] as const;
export type MarkedStore = (typeof MARKED_STORES)[number];

const SECOND_MS = 1000;

export const momentOf = (number: number): string => new Date(number * SECOND_MS).toISOString();

/** @param last the highest number that was given out or journalled before. */
export function nextNumber(nowMs: number, last: number | undefined): number {
  const second = Math.floor(nowMs / SECOND_MS);
  return last === undefined ? second : Math.max(second, last + 1);
}

/** `first`, `first + step`, ..., `last`: how a day of numbers is kept in a line. */
export type Run = readonly [first: number, last: number, step: number];

/** Numbers that lie further apart are no run: what is between them was not journalled. */
const LONGEST_STEP = 600;

/** @param numbers in any order; each counts once. */
export function runsOf(numbers: Iterable<number>): Run[] {
  const runs: [number, number, number][] = [];
  for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
    const open = runs.at(-1);
    if (open && number === open[1] + open[2]) open[1] = number;
    else if (open?.[0] === open?.[1] && open && number - open[1] <= LONGEST_STEP) {
      open[2] = number - open[1];
      open[1] = number;
    } else runs.push([number, number, 1]);
  }
  return runs;
}

/** The numbers of runs that overlap or follow each other in any way, each once. */
export function mergeRuns(parts: readonly (readonly Run[])[]): Run[] {
  const result: Run[] = [];
  for (const run of overlapping(parts.flat().sort((a, b) => a[0] - b[0])).flatMap(asOne)) {
    const open = result.at(-1);
    // A day ends and the next one begins: that is no gap.
    if (open && run[0] === open[1] + open[2] && run[2] === open[2])
      result.splice(-1, 1, [open[0], run[1], run[2]]);
    else result.push(run);
  }
  return result;
}

/** Runs that reach into each other, together. @param sorted by their first numbers */
function overlapping(sorted: readonly Run[]): Run[][] {
  const groups: Run[][] = [];
  let end = -Infinity;
  for (const run of sorted) {
    if (run[0] <= end) groups.at(-1)!.push(run);
    else groups.push([run]);
    end = Math.max(end, run[1]);
  }
  return groups;
}

/** A year of two places is the same twice: only what does not fit is looked at number by number. */
function asOne(group: readonly Run[]): Run[] {
  const [begin, , step] = group[0]!;
  const fits = group.every(
    ([first, last, own]) => (first - begin) % step === 0 && (own === step || first === last),
  );
  if (!fits) return runsOf(numbersIn(group));
  return [[begin, Math.max(...group.map(([, last]) => last)), step]];
}

export function* numbersIn(runs: readonly Run[], from = -Infinity, to = Infinity): Generator<number> {
  for (const [first, last, step] of runs) {
    if (last < from || first > to) continue;
    const begin = first >= from ? first : first + Math.ceil((from - first) / step) * step;
    for (let number = begin; number <= last && number <= to; number += step) yield number;
  }
}

/** Where nothing was journalled for longer than a few beats, between two numbers. */
export interface Gap {
  /** The numbers on both sides of it. */
  readonly after: number;
  readonly before: number;
}

/** A store that takes its time, or a beat that came late, is no gap. */
export const GAP_SECONDS = 5;

/** @param step seconds between two numbers, as it was configured. */
export function gapsIn(runs: readonly Run[], from: number, to: number, step: number): Gap[] {
  const gaps: Gap[] = [];
  let before: number | undefined;
  for (const [first, last, own] of runs) {
    if (last < from) {
      before = last;
      continue;
    }
    if (first > to) break;
    if (before !== undefined && first - before > step + GAP_SECONDS)
      gaps.push({ after: before, before: first });
    if (own > step + GAP_SECONDS)
      for (let number = first; number < last; number += own)
        gaps.push({ after: number, before: number + own });
    before = last;
  }
  return gaps;
}
