import { describe, expect, test } from 'vitest';
import { stepMs } from '../../bench/fleet/durations.ts';
import { idealMs, outOfOrder, repeatsOf } from '../../bench/fleet/figures.ts';
import { simulatedFleet } from '../../bench/fleet/members.ts';
import type { FleetMember, FleetRecord } from '../../domain/fleet.ts';

/** What the bench of fleets says must be able to say that it went wrong. */

const START_MS = Date.parse('2026-11-24T03:00:00.000Z');
const at = (seconds: number): string => new Date(START_MS + seconds * 1000).toISOString();

function member(name: string, priority: number, from: number, until: number, worker = 'w1'): FleetMember {
  return {
    ...{ deployment: name, run: name, tier: 'critical', priority, basisAt: at(0), rtoMs: 1, to: 'dr' },
    ...{ workers: [worker], repository: worker, state: 'ended', askedAt: at(0), expectedMs: 10_000 },
    ...{ startedAt: at(from), endedAt: at(until), ending: { outcome: 'RECOVERED' } },
  };
}

const record = (members: FleetMember[], all = 1, perWorker = 1): FleetRecord => ({
  ...{ format: 'tyk-dr/fleet/v1', site: 'primary', runbook: 'recover', scenario: 'regional', actor: 'a' },
  ...{ reason: 'x', declaredAt: at(0), startedAt: at(0), coming: {}, notTaken: [], allHere: true, members },
  limits: { all, perSite: 9, perRepository: 9, perWorker },
});

describe('the order', () => {
  test('is broken by a less urgent one that began while a more urgent one could have', () => {
    expect(outOfOrder(record([member('low', 3, 0, 10), member('high', 1, 10, 20)]))).toEqual([
      'low before high',
    ]);
    expect(outOfOrder(record([member('high', 1, 0, 10), member('low', 3, 10, 20)]))).toEqual([]);
  });

  test('is kept where the more urgent one had to wait for its own worker, and only then', () => {
    const busy = member('busy', 1, 0, 10);
    const next = member('next', 1, 10, 20);
    expect(outOfOrder(record([busy, next, member('other', 3, 5, 9, 'w2')], 2))).toEqual([]);
    expect(outOfOrder(record([busy, next, member('other', 3, 5, 9, 'w2')], 2, 2))).toEqual([
      'other before next',
    ]);
  });

  test('says nothing of one that had not asked yet', () => {
    const late = { ...member('late', 1, 10, 20), askedAt: at(5) };
    expect(outOfOrder(record([member('low', 3, 0, 10), late]))).toEqual([]);
  });
});

describe('the figures', () => {
  test('the ideal schedule is that of the same turns with the expected durations', () => {
    const three = [member('a', 1, 0, 30), member('b', 1, 30, 60), member('c', 1, 60, 90)];
    expect(idealMs(record(three))).toBe(30_000);
    expect(idealMs(record(three, 3, 3))).toBe(10_000);
  });

  test('a step that was done again counts for a kill only where it was under way at one', () => {
    const lines = [
      ...['1000 begin r1 a', '1500 end r1 a', '2000 begin r1 b', '9000 begin r1 b', '9500 end r1 b'],
      ...['20000 begin r1 a'],
    ];
    expect(repeatsOf(lines, [5_000])).toEqual({ repeated: 2, byKills: 1 });
    expect(repeatsOf(lines, [])).toEqual({ repeated: 2, byKills: 0 });
  });

  test('the steps of a recovery take, along their longest path, as long as was asked for', () => {
    const [only] = simulatedFleet(1, ['w1'], 60_000, at(0));
    const { steps } = only!.input.plan;
    const longest = steps.reduce((sum, step) => sum + stepMs(step, steps, 60_000), 0);
    // Some go at the same time: all of them one after the other take longer, but not twice as long.
    expect(longest).toBeGreaterThan(60_000);
    expect(longest).toBeLessThan(120_000);
  });
});
