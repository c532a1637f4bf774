import { describe, expect, test } from 'vitest';
import { judge, latencyOf, ratioSpread, spread } from '../../bench/figures.ts';
import { backupSummary } from '../../bench/backup-result.ts';
import type { BackupRound, TykDrBackup } from '../../bench/backup.ts';
import { backupRows, verdictRow } from '../../bench/rows.ts';
import { orchestrationOf, type HistoryEvent } from '../../bench/orchestration.ts';

describe('spread', () => {
  test.each([
    [[3], { median: 3, min: 3, max: 3 }],
    [[9, 1, 2], { median: 2, min: 1, max: 9 }],
    [[4, 1, 3, 2], { median: 2.5, min: 1, max: 4 }],
  ])('of %j', (values, expected) => {
    expect(spread(values)).toEqual(expected);
  });

  test('a ratio is taken run by run: a slow moment that hits both sides does not widen it', () => {
    expect(ratioSpread([10, 20], [20, 40])).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
  });
});

describe('what the orchestration adds', () => {
  let nextId = 0;
  const at = (ms: number, attributes: object = {}): HistoryEvent =>
    ({
      eventId: (nextId += 1),
      eventTime: { seconds: 0, nanos: ms * 1e6 },
      ...attributes,
    }) as unknown as HistoryEvent;
  const activity = (scheduledMs: number, startedMs: number, endedMs: number): HistoryEvent[] => {
    const scheduled = at(scheduledMs);
    const started = at(startedMs);
    const ids = { scheduledEventId: scheduled.eventId, startedEventId: started.eventId };
    return [scheduled, started, at(endedMs, { activityTaskCompletedEventAttributes: ids })];
  };

  test('is the time in which no activity was executing', () => {
    const events = [at(0), ...activity(10, 20, 100), ...activity(130, 150, 200), at(210)];
    expect(orchestrationOf(events)).toEqual({
      runMs: 210,
      addedMs: 20 + 50 + 10,
      dispatchMs: 30,
      activities: 2,
    });
  });

  test('counts no wait that another activity covered', () => {
    const events = [at(0), ...activity(0, 0, 100), ...activity(10, 60, 90), at(100)];
    expect(orchestrationOf(events)).toMatchObject({ addedMs: 0, dispatchMs: 50 });
  });
});

test('of clients, the longest wait is told, and what one in a hundred waits longer than', () => {
  const times = [...Array.from({ length: 199 }, (_, n) => n + 1), 5_000];
  expect(latencyOf(times)).toEqual({ calls: 200, maxMs: 5_000, p99Ms: 198 });
  expect(latencyOf([])).toEqual({ calls: 0, maxMs: 0, p99Ms: 0 });
});

test.each([
  [1, 1, 'most', true],
  [1.01, 1, 'most', false],
  [0.5, 0.5, 'least', true],
  [0.49, 0.5, 'least', false],
  [NaN, 1, 'most', false],
  [NaN, 1, 'least', false],
] as const)(
  '%d against %d at %s: met is %s; what was not measured has met nothing',
  (actual, limit, bound, met) => {
    expect(judge('x', actual, limit, 'ratio', bound).met).toBe(met);
  },
);

describe('the backups', () => {
  const stalls = (redis: number, database: number) => ({
    redis: { calls: 9, maxMs: redis, p99Ms: 1 },
    database: { calls: 9, maxMs: database, p99Ms: 1 },
  });
  const ours = (sealedMs: number, bytes: number, redis: number): TykDrBackup => ({
    ...{ sealedMs, bytes, stepsMs: {} },
    stalls: stalls(redis, 2),
    peakBytes: { primary: 300 << 20, dr: 100 << 20 },
  });
  const round = (guideMs: number, sealedMs: number): BackupRound => ({
    guide: {
      totalMs: guideMs,
      redisMs: 3_000,
      databaseMs: 4_000,
      bytes: 1_000 << 20,
      stalls: stalls(3_000, 5),
    },
    full: ours(sealedMs, 280 << 20, 40),
    incremental: ours(2_000, 1 << 20, 30),
    proof: { totalMs: 9_000, stalls: stalls(250, 260), peakBytes: { primary: 350 << 20 } },
  });

  test('are judged by their medians, stalls and memory by the worst of all runs; the proof stands apart', () => {
    const summary = backupSummary(
      [round(8_000, 7_000), round(8_000, 9_000), round(16_000, 14_000)],
      stalls(1, 1),
    );
    expect(summary.ratios.time).toEqual({ median: 0.875, min: 0.875, max: 1.125 });
    expect(summary.peakBytes).toBe(350 << 20);
    expect(summary.verdicts.map(({ met }) => met)).toEqual([true, true, true, true]);
    const rows = backupRows(summary).join('\n');
    expect(rows).toMatch(/guide's commands +8\.00 s .*1000 MiB +3000 ms, 5 ms/);
    expect(rows).toMatch(/until sealed +9\.00 s .*280 MiB +40 ms, 2 ms/);
    expect(rows).toMatch(/its proof, apart +9\.00 s .*250 ms, 260 ms/);
  });

  test('say where a target was missed', () => {
    const slow = backupSummary([round(8_000, 12_000)], stalls(1, 1));
    expect(slow.verdicts.map(verdictRow)[0]).toBe(
      'NOT MET backup: time until sealed, (b) to (a): 1.50, target 1.00 or less',
    );
  });

  test('are compared with nothing where the guide has no command on this machine, and say so', () => {
    const { guide, ...rest } = round(3_000, 7_000);
    const without = { ...rest, guide: { ...guide, withoutDatabase: 'mongodump is not on PATH' } };
    const summary = backupSummary([without], stalls(1, 1));
    expect(summary.verdicts.map(({ what }) => what)).not.toContain('backup: time until sealed, (b) to (a)');
    expect(backupRows(summary).join('\n')).toContain('mongodump is not on PATH');
  });
});
