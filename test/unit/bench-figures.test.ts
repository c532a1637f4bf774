import { describe, expect, test } from 'vitest';
import { ratioSpread, spread } from '../../bench/figures.ts';
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
