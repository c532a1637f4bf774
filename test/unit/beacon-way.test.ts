import { describe, expect, test } from 'vitest';
import type { Run } from '../../domain/beacon.ts';
import { wayTo, type Handover } from '../../domain/beacon-way.ts';
import type { StoreLoss } from '../../domain/loss.ts';

function handover(epoch: number, from: string, to: string, ...losses: StoreLoss[]): Handover {
  return { run: `rec-${epoch}`, epoch, from, to, at: new Date(epoch * 100_000).toISOString(), losses };
}

const ofRedis = (newestJournalled: number, lostRuns: Run[] = []): StoreLoss => ({
  store: 'redis',
  newestJournalled,
  lostRuns,
});

/** A number a second. */
const WRITTEN: Readonly<Record<string, Run[]>> = {
  primary: [[1, 101, 1]],
  dr: [[110, 200, 1]],
};
const written = (site: string): Run[] => WRITTEN[site] ?? [];

describe('the numbers that a site is expected to hold', () => {
  test('are its own, where no recovery has brought it up', () => {
    const way = wayTo('primary', 'redis', []);
    expect(way.numbers(written)).toEqual([[1, 101, 1]]);
    expect(way.lost).toEqual([]);
  });

  test('are not what the old site took when it had been given up', () => {
    const way = wayTo('dr', 'redis', [handover(1, 'primary', 'dr', ofRedis(100, [[98, 100, 1]]))]);
    expect(way.numbers(written)).toEqual([
      [1, 100, 1],
      [110, 200, 1],
    ]);
    expect(way.lost).toEqual([[98, 100, 1]]);
  });

  test('are not so either where that site serves again', () => {
    const there: Readonly<Record<string, Run[]>> = {
      ...WRITTEN,
      primary: [...written('primary'), [205, 300, 1]],
    };
    const way = wayTo('primary', 'redis', [
      handover(1, 'primary', 'dr', ofRedis(100)),
      handover(2, 'dr', 'primary', ofRedis(200)),
    ]);
    const numbers = way.numbers((site) => there[site]!);
    expect(numbers).toEqual([
      [1, 100, 1],
      [110, 200, 1],
      [205, 300, 1],
    ]);
  });

  test('end with the measurement, where that knew of none', () => {
    const way = wayTo('dr', 'redis', [
      handover(1, 'primary', 'dr', { store: 'redis', notMeasured: 'no journal' }),
    ]);
    expect(way.numbers(written)[0]).toEqual([1, 100, 1]);
  });

  test('keep their step', () => {
    const way = wayTo('dr', 'redis', [handover(1, 'primary', 'dr', ofRedis(57))]);
    const every10: Readonly<Record<string, Run[]>> = { primary: [[5, 95, 10]], dr: [[67, 107, 10]] };
    expect(way.numbers((site) => every10[site]!)).toEqual([
      [5, 55, 10],
      [67, 107, 10],
    ]);
  });
});

test('what several workers have measured in one run counts together', () => {
  const run = handover(1, 'primary', 'dr', ofRedis(100, [[99, 100, 1]]));
  const database = { store: 'database', newestJournalled: 101, lostRuns: [[101, 101, 1]] } as const;
  const handovers = [run, { ...run, losses: [database] }];
  expect(wayTo('dr', 'redis', handovers).lost).toEqual([[99, 100, 1]]);
  expect(wayTo('dr', 'database', handovers).lost).toEqual([[101, 101, 1]]);
});
