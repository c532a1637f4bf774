import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  retention,
  snapshotRetention,
  type KeepRules,
  type KeptSet,
  type KeptSnapshot,
} from '../../domain/retention.ts';

/** Deleting backups is the one thing that cannot be undone: what must never happen, and what operators expect. */

const NONE: KeepRules = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, verified: 0, snapshots: 0 };

function at(createdAt: string, more: Partial<KeptSet> = {}): KeptSet {
  return { set: createdAt, createdAt, verified: true, parents: [], ...more };
}

const kept = (sets: readonly KeptSet[], rules: Partial<KeepRules>): string[] =>
  retention(sets, { ...NONE, ...rules })
    .filter(({ keep }) => keep)
    .map(({ set }) => set.slice(0, 10));

describe('retention keeps', () => {
  const days = Array.from({ length: 40 }, (_, day) =>
    at(new Date(Date.UTC(2026, 0, 1 + day, 2)).toISOString()),
  );

  test('the newest of each day, not the first', () => {
    const sets = [at('2026-01-01T02:00:00.000Z'), at('2026-01-01T20:00:00.000Z')];
    expect(retention(sets, { ...NONE, daily: 5 })).toEqual([
      { set: '2026-01-01T20:00:00.000Z', keep: true, reasons: ['daily 2026-01-01'] },
      { set: '2026-01-01T02:00:00.000Z', keep: false, reasons: [] },
    ]);
  });

  test('weeks as ISO 8601 counts them: 1 January 2027 belongs to week 53 of 2026', () => {
    const sets = [
      at('2026-12-31T00:00:00.000Z'),
      at('2027-01-01T00:00:00.000Z'),
      at('2027-01-04T00:00:00.000Z'),
    ];
    const weeks = retention(sets, { ...NONE, weekly: 9 }).flatMap(({ reasons }) => reasons);
    expect(weeks).toEqual(['weekly 2027-W01', 'weekly 2026-W53']);
  });

  test('several rules together', () => {
    expect(kept(days, { last: 2, weekly: 3, monthly: 2 })).toEqual([
      '2026-02-09',
      '2026-02-08',
      '2026-02-01',
      '2026-01-31',
    ]);
  });

  test('what is held, and what a kept set builds on', () => {
    const sets = [
      at('2026-01-01T00:00:00.000Z'),
      at('2026-01-02T00:00:00.000Z', { parents: ['2026-01-01T00:00:00.000Z'] }),
      at('2026-01-03T00:00:00.000Z', { hold: 'legal' }),
      at('2026-01-04T00:00:00.000Z', { parents: ['2026-01-02T00:00:00.000Z', '2026-01-01T00:00:00.000Z'] }),
    ];
    expect(kept(sets, { last: 1 })).toEqual(['2026-01-04', '2026-01-03', '2026-01-02', '2026-01-01']);
  });

  test('one of two sets with the same content: what was sealed anew, once it is as proven as the old one', () => {
    const sets = (proven: boolean): KeptSet[] => [
      at('2026-01-01T00:00:00.000Z'),
      at('2026-01-02T00:00:00.000Z', { set: '2026-01-02 old' }),
      at('2026-01-02T00:00:00.000Z', { set: '2026-01-02 zew', rewrapOf: '2026-01-02 old', verified: proven }),
    ];
    const names = (proven: boolean, rules: Partial<KeepRules>): string[] =>
      retention(sets(proven), { ...NONE, ...rules })
        .filter(({ keep }) => keep)
        .map(({ set }) => set);
    expect(names(true, { last: 1 })).toEqual(['2026-01-02 zew']);
    expect(names(true, { last: 1, verified: 2 })).toEqual(['2026-01-02 zew', '2026-01-01T00:00:00.000Z']);
    expect(names(false, { last: 1, verified: 1 })).toEqual(['2026-01-02 zew', '2026-01-02 old']);
    const held = sets(true).map((set) => ({ ...set, ...(set.set.endsWith('old') ? { hold: 'x' } : {}) }));
    expect(kept(held, { last: 1 })).toEqual(['2026-01-02', '2026-01-02']);
  });

  test('verified ones when everything newer is unproven', () => {
    const sets = [
      at('2026-01-01T00:00:00.000Z'),
      at('2026-01-02T00:00:00.000Z', { verified: false }),
      at('2026-01-03T00:00:00.000Z', { verified: false }),
    ];
    expect(kept(sets, { last: 1, verified: 1 })).toEqual(['2026-01-03', '2026-01-01']);
  });
});

describe('whatever the sets and rules', () => {
  const count = fc.integer({ min: 0, max: 5 });
  const rules = fc.record({
    last: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
    verified: count,
  });
  const sets = fc
    .uniqueArray(fc.integer({ min: 0, max: 1500 }), { maxLength: 40 })
    .chain((days) =>
      fc.tuple(
        ...[...days]
          .sort((a, b) => a - b)
          .map((day, index, all) =>
            fc.record({
              day: fc.constant(day),
              verified: fc.boolean(),
              held: fc.boolean(),
              parent:
                index === 0
                  ? fc.constant(undefined)
                  : fc.option(
                      fc.nat(index - 1).map((at) => all[at]),
                      { nil: undefined },
                    ),
            }),
          ),
      ),
    )
    .map((rows) =>
      rows.map(({ day, verified, held, parent }): KeptSet => ({
        set: `s${day}`,
        createdAt: new Date(Date.UTC(2024, 0, 1 + day)).toISOString(),
        verified,
        ...(held ? { hold: 'x' } : {}),
        parents: parent === undefined ? [] : [`s${parent}`],
      })),
    );

  test('no held set, no parent of a kept one, none of the last verified is ever let go', () => {
    fc.assert(
      fc.property(sets, rules, (all, policy) => {
        const verdicts = new Map(retention(all, policy).map((verdict) => [verdict.set, verdict]));
        expect(verdicts.size).toBe(all.length);
        for (const { set, hold, parents } of all) {
          if (hold !== undefined) expect(verdicts.get(set)!.keep).toBe(true);
          if (verdicts.get(set)!.keep)
            for (const parent of parents) expect(verdicts.get(parent)!.keep).toBe(true);
        }
        const verified = all.filter((each) => each.verified);
        const left = verified.filter(({ set }) => verdicts.get(set)!.keep);
        expect(left.length).toBeGreaterThanOrEqual(Math.min(policy.verified, verified.length));
      }),
    );
  });
});

describe('snapshots', () => {
  const verdict = (set: string, keep = true) => ({ set, keep, reasons: keep ? ['last 1'] : [] });
  const of = (belongsTo: string, minute: number, more: Partial<KeptSnapshot> = {}): KeptSnapshot => {
    const createdAt = `${belongsTo}T12:${String(minute).padStart(2, '0')}:00.000Z`;
    return { set: createdAt, createdAt, kind: 'redis', belongsTo, verified: true, ...more };
  };
  const kept = (snapshots: readonly KeptSnapshot[], sets: readonly ReturnType<typeof verdict>[], count = 2) =>
    snapshotRetention(snapshots, sets, { snapshots: count })
      .filter(({ keep }) => keep)
      .map(({ set }) => set.slice(8, 16));

  test('of the newest set all stay, of an older one the newest few of each kind, of one that goes none', () => {
    const days = ['2026-01-01', '2026-01-02', '2026-01-03'] as const;
    const snapshots = days.flatMap((day) => [1, 2, 3, 4].map((minute) => of(day, minute)));
    const sets = [verdict(days[2]), verdict(days[1]), verdict(days[0], false)];
    expect(kept(snapshots, sets)).toEqual([
      ...['03T12:04', '03T12:03', '03T12:02', '03T12:01', '02T12:04', '02T12:03'],
    ]);
    const config = of(days[1], 0, { kind: 'config' });
    expect(kept([...snapshots, config], sets)).toContain('02T12:00');
  });

  test('the newest verified one of an older set stays behind newer ones that nobody has proven', () => {
    const unproven = [3, 4, 5].map((minute) => of('2026-01-01', minute, { verified: false }));
    const proven = [1, 2].map((minute) => of('2026-01-01', minute));
    const sets = [verdict('2026-01-02'), verdict('2026-01-01')];
    expect(kept([...proven, ...unproven], sets)).toEqual(['01T12:05', '01T12:04', '01T12:02']);
    expect(kept(proven, sets, 0)).toEqual([]);
  });

  test('one whose set is not there is nobody’s to keep', () => {
    expect(kept([of('2026-01-01', 1)], [verdict('2026-01-02')])).toEqual([]);
  });
});
