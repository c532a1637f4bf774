import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gapsIn, mergeRuns, nextNumber, numbersIn, runsOf, type Run } from '../../domain/beacon.ts';
import { journalText, parseJournal } from '../../domain/beacon-journal.ts';
import {
  lossException,
  lossLine,
  lossSkew,
  lossVerdict,
  measureLoss,
  rpoVerdict,
  type LossInput,
} from '../../domain/loss.ts';

const T = 1_764_340_000;
const iso = (number: number): string => new Date(number * 1000).toISOString();
const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('numbers', () => {
  test('go on from the last one, also where the clock went back', () => {
    expect(nextNumber(T * 1000 + 999, undefined)).toBe(T);
    expect(nextNumber(T * 1000, T - 5)).toBe(T);
    expect(nextNumber((T - 3600) * 1000, T)).toBe(T + 1);
  });

  const some = fc.uniqueArray(fc.integer({ min: T, max: T + 400 }), { maxLength: 120 });
  test('are the same as runs, merged in any way', () => {
    fc.assert(
      fc.property(some, some, (left, right) => {
        const whole = [...new Set([...left, ...right])].sort((a, b) => a - b);
        expect([...numbersIn(runsOf(left))].sort()).toEqual(left.toSorted());
        expect([...numbersIn(mergeRuns([runsOf(left), runsOf(right)]))].sort()).toEqual(whole);
      }),
    );
  });

  test('of many days, at two places, stay a few runs', () => {
    const days = Array.from({ length: 365 }, (_, day): Run[] => [
      [T + day * 86_400, T + day * 86_400 + 86_399, 1],
    ]);
    expect(mergeRuns([...days, ...days])).toEqual([[T, T + 365 * 86_400 - 1, 1]]);
  });

  test('that are missing for longer than a few beats are a gap', () => {
    const runs = runsOf([...numbers(T, T + 10), ...numbers(T + 12, T + 20), ...numbers(T + 90, T + 95)]);
    expect(gapsIn(runs, T, T + 95, 1)).toEqual([{ after: T + 20, before: T + 90 }]);
    expect(gapsIn(runsOf([T, T + 30, T + 60]), T, T + 60, 30)).toEqual([]);
    expect(gapsIn(runsOf([T, T + 30, T + 60]), T, T + 60, 1)).toHaveLength(2);
  });
});

describe('the journal', () => {
  test('reads as it was written', () => {
    const text = journalText([
      { number: T, store: 'redis', atMs: T * 1000 + 3 },
      { number: T, store: 'database', atMs: T * 1000 + 1207 },
      { number: T + 1, store: 'redis', atMs: T * 1000 + 900 },
    ]);
    expect(text).toBe(`${T} r3 d1207\n${T + 1} r-100\n`);
    const { acks, damaged } = parseJournal([text]);
    expect([...acks.redis]).toEqual([
      [T, T * 1000 + 3],
      [T + 1, T * 1000 + 900],
    ]);
    expect([...acks.database]).toEqual([[T, T * 1000 + 1207]]);
    expect(damaged).toBe(0);
  });

  test.each([
    ['a torn last line', `${T} r3\n${T + 1} r`, [T], 0],
    ['a torn last line that looks whole', `${T} r3\n${T + 1} r3`, [T], 0],
    ['nothing but a torn line', `${T} r3`, [], 0],
    ['a damaged line in the middle', `${T} r3\n\0\0\0\n${T + 2} r4\n`, [T, T + 2], 1],
    ['a number that is none', `${T} r3\n${T}x r3\n${T + 2} q4\n`, [T], 2],
    ['two writers', `${T} r9\n${T} r3\n`, [T], 0],
  ])('with %s counts what is whole', (_what, text, expected, damaged) => {
    const parsed = parseJournal([text]);
    expect([...parsed.acks.redis.keys()]).toEqual(expected);
    expect(parsed.damaged).toBe(damaged);
  });
});

describe('a loss', () => {
  /** Journalled T..T+100, each acknowledged after 5 ms; the disaster began half a second after the last. */
  const input = (recovered: readonly number[], more: Partial<LossInput> = {}): LossInput => {
    const runs = runsOf(numbers(T, T + 100));
    return {
      store: 'redis',
      journalled: { runs, ackOf: (number) => number * 1000 + 5 },
      lostBefore: [],
      recovered,
      basisAt: new Date((T + 100) * 1000 + 500).toISOString(),
      stepSeconds: 1,
      ...more,
    };
  };

  test('is what was journalled and is not there, with the range in which its time lies', () => {
    const loss = measureLoss(input(numbers(T + 10, T + 90)));
    expect(loss).toMatchObject({ newestJournalled: T + 100, newestRecovered: T + 90, lost: 10, holes: 0 });
    // From the first lost number's acknowledgement to the newest; until the next number was due.
    expect([loss.minMs, loss.maxMs]).toEqual([8_995, 11_005]);
    expect(loss.lostRuns).toEqual([[T + 91, T + 100, 1]]);
    expect([9_500, 10_100].map((rpoMs) => lossVerdict(loss, rpoMs))).toEqual(['unproven', 'unproven']);
    expect([8_000, 11_005].map((rpoMs) => lossVerdict(loss, rpoMs))).toEqual(['missed', 'met']);
  });

  test('ends with the disaster where that is later than the last number', () => {
    const loss = measureLoss(input(numbers(T, T + 100), { basisAt: iso(T + 160) }));
    expect(loss).toMatchObject({ lost: 0, minMs: 0, maxMs: 60_000, until: iso(T + 160) });
    expect(loss.gaps).toEqual([{ after: T + 100, before: T + 160 }]);
  });

  test('counts holes, which no point in time explains', () => {
    const there = numbers(T + 10, T + 90).filter((number) => ![T + 40, T + 41].includes(number));
    const loss = measureLoss(input(there));
    expect(loss).toMatchObject({
      lost: 12,
      holes: 2,
      lostRuns: [
        [T + 40, T + 41, 1],
        [T + 91, T + 100, 1],
      ],
    });
    expect(lossException(loss, 60_000)).toContain('2 numbers that Redis had acknowledged are missing');
    expect(lossLine(loss)).toContain('2 HOLES');
  });

  test('of an earlier recovery is not counted again', () => {
    const before: Run[] = [[T + 50, T + 60, 1]];
    const there = [...numbers(T + 10, T + 49), ...numbers(T + 61, T + 98)];
    expect(measureLoss(input(there, { lostBefore: before }))).toMatchObject({ lost: 2, holes: 0 });
    expect(measureLoss(input(there))).toMatchObject({ lost: 13, holes: 11 });
  });

  test('is a gap, and no guess, where the journal knows nothing', () => {
    const runs = runsOf([...numbers(T, T + 40), ...numbers(T + 80, T + 100)]);
    const loss = measureLoss(input(numbers(T, T + 30), { journalled: { runs, ackOf: () => undefined } }));
    expect(loss.lost).toBe(31);
    expect(loss.gaps).toEqual([{ after: T + 40, before: T + 80 }]);
    // Without the moments of acknowledgement the range is wider, never narrower.
    expect([loss.minMs, loss.maxMs]).toEqual([68_000, 71_000]);
  });

  test.each([
    ['no watermark in the store', input([]), 'no watermark'],
    [
      'no number in the journal',
      input([T], { journalled: { runs: [], ackOf: () => undefined } }),
      'the journal holds no number',
    ],
  ])('is not measured with %s, and never within an objective', (_what, told, why) => {
    const loss = measureLoss(told);
    expect(loss.notMeasured).toContain(why);
    expect(lossVerdict(loss, Infinity)).toBe('not measured');
    expect(rpoVerdict([loss, measureLoss(input(numbers(T, T + 100)))], 60_000)).toBe('not measured');
    expect(lossLine(loss)).toContain('not measured');
  });

  test('of nothing is not measured either', () => {
    expect([rpoVerdict([], 1), rpoVerdict(undefined, 1)]).toEqual(['not measured', 'not measured']);
  });

  test('differs between the stores by the same numbers', () => {
    const [redis, database] = [
      measureLoss(input([T + 40])),
      measureLoss(input([T + 90], { store: 'database' })),
    ];
    expect(lossSkew([redis, database])).toEqual({ ms: 50_000, older: 'redis' });
    expect(lossSkew([redis])).toBeUndefined();
  });
});
