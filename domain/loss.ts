import { formatDuration } from './duration.ts';
import { GAP_SECONDS, gapsIn, momentOf, numbersIn, type Gap, type MarkedStore, type Run } from './beacon.ts';
import type { StoreExposure } from './exposure.ts';
import { NAMES } from './points.ts';
import type { Proof } from './run.ts';

/**
 * What a recovery has lost, by the numbers that a store had acknowledged and does not hold any more. Pure. Times between
 * two numbers are not known: what was lost is told as a range, and nothing is guessed for what was not journalled.
 */

export interface StoreLoss {
  readonly store: MarkedStore;
  /** Present where the loss could not be measured; then nothing else is. */
  readonly notMeasured?: string;
  readonly newestJournalled?: number;
  readonly newestRecovered?: number;
  /** Journalled numbers that are not in the recovered store. */
  readonly lost?: number;
  readonly lostRuns?: readonly Run[];
  /** Those of them that are missing although a later one is there: no point in time explains that. */
  readonly holes?: number;
  /** The oldest number of which the store still tells whether it is there. */
  readonly holesFrom?: number;
  /** Surely lost: from the acknowledgement of the first lost number to that of the newest one. */
  readonly minMs?: number;
  /** Not more can be lost: from the newest recovered number until nothing was acknowledged any more. */
  readonly maxMs?: number;
  /** That moment, and who says so. */
  readonly until?: string;
  readonly untilSource?: string;
  /** Stretches between the newest recovered number and the end of which the journal knows nothing. */
  readonly gaps?: readonly Gap[];
  /** What would have been lost, as it was measured before the disaster and in the 30 days before. */
  readonly exposure?: StoreExposure;
}

/** What the journal says of one store of the failed site. */
export interface Journalled {
  readonly runs: readonly Run[];
  /** When the store acknowledged a number, Unix milliseconds; undefined where only the number was kept. */
  ackOf(number: number): number | undefined;
}

export interface LossInput {
  readonly store: MarkedStore;
  readonly journalled: Journalled;
  /** What earlier recoveries had lost, and is not expected any more. */
  readonly lostBefore: readonly Run[];
  /** What is in the recovered store, in any order; the newest so many. */
  readonly recovered: readonly number[];
  /** When the disaster began, as the run knows it. */
  readonly basisAt: string;
  readonly stepSeconds: number;
}

const SECOND_MS = 1000;
const MOST_GAPS = 50;

export function measureLoss(input: LossInput): StoreLoss {
  const { store, journalled, recovered, basisAt, stepSeconds } = input;
  const known = new Set(input.lostBefore.length === 0 ? [] : numbersIn(input.lostBefore));
  const newestJournalled = newestBut(journalled.runs, known);
  if (newestJournalled === undefined)
    return { store, notMeasured: 'the journal holds no number that this store had acknowledged' };
  if (recovered.length === 0)
    return { store, newestJournalled, notMeasured: 'there is no watermark in the recovered store' };
  const there = new Set(recovered);
  const sorted = recovered.toSorted((a, b) => a - b);
  const [holesFrom, newestRecovered] = [sorted[0]!, sorted.at(-1)!];
  const missing: number[] = [];
  for (const number of numbersIn(journalled.runs, holesFrom))
    if (!there.has(number) && !known.has(number)) missing.push(number);
  const ackedAt = (number: number): number => journalled.ackOf(number) ?? (number + stepSeconds) * SECOND_MS;
  const behind = missing.filter((number) => number > newestRecovered);
  const [firstLost, lastLost] = [behind[0], behind.at(-1)];
  const lastAckMs = journalled.ackOf(newestJournalled) ?? newestJournalled * SECOND_MS;
  const basisMs = Date.parse(basisAt);
  // A store that lived until its newest number may have taken more until the next one was due.
  const untilMs = Math.max(basisMs, lastAckMs + stepSeconds * SECOND_MS);
  return {
    store,
    newestJournalled,
    newestRecovered,
    lost: missing.length,
    lostRuns: runsOfSorted(missing, journalled.runs),
    holes: missing.length - behind.length,
    holesFrom,
    minMs:
      firstLost === undefined || lastLost === undefined
        ? 0
        : Math.max(0, lastLost * SECOND_MS - ackedAt(firstLost)),
    maxMs: Math.max(0, untilMs - newestRecovered * SECOND_MS),
    until: new Date(untilMs).toISOString(),
    untilSource:
      untilMs === basisMs
        ? 'the begin of the disaster, as the run knows it'
        : 'the next number, which never came',
    gaps: gapsAround(
      journalled.runs,
      newestRecovered,
      newestJournalled,
      Math.floor(untilMs / SECOND_MS),
      stepSeconds,
    ),
  };
}

function newestBut(runs: readonly Run[], known: ReadonlySet<number>): number | undefined {
  for (const [first, last, step] of runs.toReversed())
    for (let number = last; number >= first; number -= step) if (!known.has(number)) return number;
  return undefined;
}

/** Two lost numbers are of one run where nothing was journalled between them. */
function runsOfSorted(missing: readonly number[], journalled: readonly Run[]): Run[] {
  const runs: [number, number, number][] = [];
  let at = 0;
  for (const number of missing) {
    while ((journalled[at]?.[1] ?? Infinity) < number) at += 1;
    const step = journalled[at]?.[2] ?? 1;
    const open = runs.at(-1);
    if (open && open[2] === step && number === open[1] + step) open[1] = number;
    else runs.push([number, number, step]);
  }
  return runs;
}

function gapsAround(
  runs: readonly Run[],
  from: number,
  newest: number,
  until: number,
  stepSeconds: number,
): Gap[] {
  const inside = gapsIn(runs, from, newest, stepSeconds).filter(({ before }) => before > from);
  const last = until - newest > stepSeconds + GAP_SECONDS ? [{ after: newest, before: until }] : [];
  return [...inside, ...last].slice(-MOST_GAPS);
}

export type LossVerdict = 'met' | 'missed' | 'unproven' | 'not measured';

/** `unproven`: what is surely lost is within the objective, what may be lost is not. */
export function lossVerdict({ notMeasured, minMs, maxMs }: StoreLoss, rpoMs: number): LossVerdict {
  if (notMeasured !== undefined || minMs === undefined || maxMs === undefined) return 'not measured';
  if (minMs > rpoMs) return 'missed';
  return maxMs <= rpoMs ? 'met' : 'unproven';
}

/** Of a whole run: its worst store counts. Without any store nothing was measured. */
export function rpoVerdict(losses: readonly StoreLoss[] | undefined, rpoMs: number): LossVerdict {
  const verdicts = (losses ?? []).map((loss) => lossVerdict(loss, rpoMs));
  const worst = (['not measured', 'missed', 'unproven'] as const).find((each) => verdicts.includes(each));
  if (worst) return verdicts.includes('missed') ? 'missed' : worst;
  return verdicts.length > 0 ? 'met' : 'not measured';
}

/** The range over all stores; undefined where one of them was not measured. */
export function rpoRange(
  losses: readonly StoreLoss[] | undefined,
): { minMs: number; maxMs: number } | undefined {
  if (!losses || losses.length === 0) return undefined;
  const ranges = losses.flatMap(({ minMs, maxMs }) =>
    minMs === undefined || maxMs === undefined ? [] : [{ minMs, maxMs }],
  );
  if (ranges.length < losses.length) return undefined;
  return {
    minMs: Math.max(...ranges.map(({ minMs }) => minMs)),
    maxMs: Math.max(...ranges.map(({ maxMs }) => maxMs)),
  };
}

/** How far apart Redis and the database came back, by the same numbers in both. Undefined where one lacks them. */
export function lossSkew(
  losses: readonly StoreLoss[],
): { readonly ms: number; readonly older: MarkedStore } | undefined {
  const [redis, database] = (['redis', 'database'] as const).map(
    (store) => losses.find((loss) => loss.store === store)?.newestRecovered,
  );
  if (redis === undefined || database === undefined) return undefined;
  return { ms: Math.abs(redis - database) * SECOND_MS, older: redis < database ? 'redis' : 'database' };
}

export function skewSentence(losses: readonly StoreLoss[]): string {
  const skew = lossSkew(losses);
  if (!skew) return 'not measured';
  if (skew.ms === 0) return 'none, to the second';
  return `${formatDuration(skew.ms)}: ${NAMES[skew.older]} is older than ${NAMES[skew.older === 'redis' ? 'database' : 'redis']}`;
}

export function rangeText({ minMs, maxMs }: { minMs: number; maxMs: number }): string {
  return `${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
}

/** `redis: 12.0 s to 14.1 s lost, 13 numbers (2026-... to 2026-...), none missing before that`. */
export function lossLine(loss: StoreLoss): string {
  const { store, notMeasured, minMs, maxMs, lost = 0, holes = 0 } = loss;
  const name = NAMES[store];
  if (notMeasured !== undefined || minMs === undefined || maxMs === undefined)
    return `${name}: not measured: ${notMeasured ?? 'the record lacks it'}`;
  const numbers = lost === 1 ? '1 number' : `${lost} numbers`;
  const inside = holes === 0 ? 'no hole' : `${holes} HOLES before the newest that is there`;
  return `${name}: ${rangeText({ minMs, maxMs })} lost, ${numbers}; newest journalled ${momentOf(loss.newestJournalled!)}, newest recovered ${momentOf(loss.newestRecovered!)}, ${inside} since ${momentOf(loss.holesFrom!)}`;
}

export function gapLines({ store, gaps = [] }: StoreLoss): string[] {
  return gaps.map(
    ({ after, before }) =>
      `${NAMES[store]}: nothing is journalled between ${momentOf(after)} and ${momentOf(before)} (${formatDuration((before - after) * SECOND_MS)}): what came in then is not counted`,
  );
}

/** How the objective is proven of one store, as a row of the proofs. */
export function lossProof(loss: StoreLoss, rpoMs: number): Proof {
  const verdict = lossVerdict(loss, rpoMs);
  const { minMs = 0, maxMs = 0 } = loss;
  return {
    name: `loss of ${NAMES[loss.store]}`,
    verdict: verdict === 'met' ? 'pass' : verdict === 'missed' ? 'fail' : 'not-measured',
    expected: `at most ${formatDuration(rpoMs)}`,
    actual:
      verdict === 'not measured'
        ? `not measured: ${loss.notMeasured ?? 'nothing is known'}`
        : `${rangeText({ minMs, maxMs })}${verdict === 'unproven' ? ': it may be more than the objective' : ''}`,
  };
}

/** What a plain RECOVERED must not hide of one store; undefined where there is nothing to say. */
export function lossException(loss: StoreLoss, rpoMs: number): string | undefined {
  const verdict = lossVerdict(loss, rpoMs);
  const name = NAMES[loss.store];
  const holes =
    (loss.holes ?? 0) > 0
      ? `${loss.holes} numbers that ${name} had acknowledged are missing although later ones are there`
      : undefined;
  const told: Readonly<Record<LossVerdict, string | undefined>> = {
    met: undefined,
    missed: `${name} has lost more than the RPO: ${rangeText({ minMs: loss.minMs ?? 0, maxMs: loss.maxMs ?? 0 })}`,
    unproven: `${name} may have lost more than the RPO: ${rangeText({ minMs: loss.minMs ?? 0, maxMs: loss.maxMs ?? 0 })}`,
    'not measured': `the loss of ${name} was not measured: ${loss.notMeasured ?? 'nothing is known'}`,
  };
  return [told[verdict], holes].filter((text) => text !== undefined).join('; ') || undefined;
}
