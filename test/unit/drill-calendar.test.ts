import { describe, expect, test } from 'vitest';
import { blackoutAt, isEndless, type Blackout } from '../../domain/blackout.ts';
import { nextOccurrence, occurrences } from '../../domain/calendar.ts';
import { parseCron, type Cron } from '../../domain/cron.ts';
import { dueDrills, type DueRun } from '../../domain/drill-calendar.ts';
import type { Entry } from '../../domain/journal.ts';
import { runRecord } from '../harness/run-record.ts';

/** When drills are due, also where clocks are changed, and what became of each. */

const cron = (text: string): Cron => parseCron(text) as Cron;
const at = (text: string): number => Date.parse(`${text}Z`);
const times = (text: string, zone: string, from: string, until: string): string[] =>
  occurrences(cron(text), zone, at(from), at(until)).map((ms) => new Date(ms).toISOString().slice(0, 16));

describe('occurrences', () => {
  test('keep to the clocks of their time zone when those are changed', () => {
    expect(times('0 9 1 * *', 'Europe/Paris', '2026-02-15T00:00', '2026-05-15T00:00')).toEqual([
      ...['2026-03-01T08:00', '2026-04-01T07:00', '2026-05-01T07:00'],
    ]);
  });

  test('there is none in the hour that is skipped; in that which comes twice as Temporal has it', () => {
    expect(times('30 2 * * *', 'Europe/Paris', '2026-03-28T00:00', '2026-03-30T12:00')).toEqual([
      ...['2026-03-28T01:30', '2026-03-30T00:30'],
    ]);
    expect(times('30 2 * * *', 'Europe/Paris', '2026-10-24T12:00', '2026-10-25T12:00')).toEqual([
      '2026-10-25T01:30',
    ]);
    expect(times('30 1 * * *', 'America/New_York', '2026-10-31T12:00', '2026-11-01T12:00')).toEqual([
      ...['2026-11-01T05:30', '2026-11-01T06:30'],
    ]);
  });

  test('days are those of the time zone: before and after those of UTC', () => {
    expect(times('0 8 1 * *', 'Pacific/Kiritimati', '2026-01-15T00:00', '2026-02-10T00:00')).toEqual([
      '2026-01-31T18:00',
    ]);
    expect(times('0 20 31 * *', 'America/Los_Angeles', '2026-01-15T00:00', '2026-02-10T00:00')).toEqual([
      '2026-02-01T04:00',
    ]);
  });

  test('begin after the first moment and end with the last', () => {
    expect(times('0 0 * * *', 'UTC', '2026-01-01T00:00', '2026-01-03T00:00')).toHaveLength(2);
  });

  test('the next one may be years away, or never come', () => {
    expect(nextOccurrence(cron('0 0 29 2 *'), 'UTC', at('2026-01-01T00:00'))).toBe(at('2028-02-29T00:00'));
    expect(nextOccurrence(cron('0 0 30 2 *'), 'UTC', at('2026-01-01T00:00'))).toBeUndefined();
  });
});

describe('blackouts', () => {
  const holidays: Blackout = { from: '2026-12-20', to: '2027-01-03', reason: 'year end' };
  const nights: Blackout = { weekly: ['fri'], start: '18:00', end: '06:00', reason: 'batch' };
  const dark = (blackouts: readonly Blackout[], zone: string, when: string): string | undefined => {
    const found = blackoutAt(blackouts, zone, at(when));
    return found && `${new Date(found.until).toISOString().slice(0, 16)} ${found.reason}`;
  };

  test('last from the beginning of their first day to the end of their last, on the clocks there', () => {
    expect(dark([holidays], 'Europe/Paris', '2026-12-19T22:59')).toBeUndefined();
    expect(dark([holidays], 'Europe/Paris', '2026-12-19T23:00')).toBe('2027-01-03T23:00 year end');
    expect(dark([holidays], 'Europe/Paris', '2027-01-03T23:00')).toBeUndefined();
  });

  test('of a week may pass midnight', () => {
    // 2026-01-02 is a Friday.
    expect(dark([nights], 'UTC', '2026-01-02T17:59')).toBeUndefined();
    expect(dark([nights], 'UTC', '2026-01-03T05:59')).toBe('2026-01-03T06:00 batch');
    expect(dark([nights], 'UTC', '2026-01-03T06:00')).toBeUndefined();
    expect(dark([nights], 'UTC', '2026-01-02T05:00')).toBeUndefined();
  });

  test('of the night in which clocks are changed end when the clocks say so', () => {
    const sundays: Blackout = { weekly: ['sun'], start: '01:00', end: '04:00', reason: 'batch' };
    expect(dark([sundays], 'Europe/Paris', '2026-03-29T00:30')).toBe('2026-03-29T02:00 batch');
    expect(dark([sundays], 'Europe/Paris', '2026-10-25T02:30')).toBe('2026-10-25T03:00 batch');
  });

  test('that follow one another are one', () => {
    const after: Blackout = { from: '2027-01-04', to: '2027-01-04T12:00', reason: 'inventory' };
    expect(dark([after, holidays], 'UTC', '2026-12-24T00:00')).toBe('2027-01-04T12:00 year end');
  });

  test('that never end are found out', () => {
    const always: Blackout = {
      ...{ weekly: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'], start: '00:00', end: '24:00' },
      reason: 'no',
    };
    expect(isEndless([always], 'UTC', at('2026-01-01T00:00'))).toBe(true);
    expect(isEndless([holidays, nights], 'UTC', at('2026-12-25T00:00'))).toBe(false);
  });
});

describe('what became of what was due', () => {
  const DAY = 86_400_000;
  let events = 0;
  const said = (when: string, event: object): Entry =>
    ({ actor: 'ann', at: `${when}:00.000Z`, id: String((events += 1)), ...event }) as Entry;
  const calendar = (when: string, text = '0 9 1 * *') =>
    said(when, {
      ...{ kind: 'calendar', lateMs: 2 * DAY, signWithinMs: 30 * DAY },
      schedules: { component: { cron: text, timezone: 'UTC' } },
    });
  const drill = (when: string, changes: Partial<DueRun> = {}, scheduled?: string): DueRun => ({
    ...runRecord({ run: `drl-${when}`, runbook: 'drill', outcome: 'RECOVERED' }),
    clock: [{ name: 'started', at: `${when}:00.000Z`, source: '' }],
    drill: {
      ...{ type: 'component', scenario: 'infrastructure', end: 'teardown', participants: [] },
      limitMs: 1,
      ...(scheduled === undefined ? {} : { scheduled: { schedule: 'component', dueAt: scheduled } }),
    },
    ...changes,
  });
  const states = (records: readonly DueRun[], entries: readonly Entry[], now: string): string[] =>
    dueDrills(records, entries, `${now}:00.000Z`).map(({ dueAt, state }) => `${dueAt.slice(0, 10)} ${state}`);

  test('nothing was due before a calendar was in force', () => {
    expect(states([], [], '2026-05-01T00:00')).toEqual([]);
    expect(states([], [calendar('2026-03-15T00:00')], '2026-04-01T10:00')).toEqual(['2026-04-01 due']);
  });

  test('it is due, then late, then missed; done, or done late', () => {
    const entries = [calendar('2026-03-15T00:00')];
    expect(states([], entries, '2026-04-03T08:59')).toEqual(['2026-04-01 due']);
    expect(states([], entries, '2026-04-03T09:01')).toEqual(['2026-04-01 late']);
    expect(states([], entries, '2026-05-01T10:00')).toEqual(['2026-04-01 missed', '2026-05-01 due']);
    expect(states([drill('2026-04-02T00:00')], entries, '2026-04-20T00:00')).toEqual(['2026-04-01 done']);
    expect(states([drill('2026-04-20T00:00')], entries, '2026-05-01T10:00')).toEqual([
      ...['2026-04-01 done late', '2026-05-01 due'],
    ]);
  });

  test('a drill that was refused, given up, or of another kind is none', () => {
    const entries = [calendar('2026-03-15T00:00')];
    const records = [
      drill('2026-04-01T10:00', { outcome: 'REFUSED' }),
      drill('2026-04-01T11:00', { outcome: 'ABORTED' }),
      drill('2026-04-01T12:00', { drill: { ...drill('2026-04-01T12:00').drill!, type: 'full' } }),
    ];
    expect(states(records, entries, '2026-04-10T00:00')).toEqual(['2026-04-01 late']);
    // One that went red was made: what it found is another matter.
    expect(
      states([drill('2026-04-01T13:00', { outcome: 'FAILED_UNDONE' })], entries, '2026-04-10T00:00'),
    ).toEqual(['2026-04-01 done']);
  });

  test('one that a schedule has started belongs to the day that it was due, not to that on which it began', () => {
    const waited = drill('2026-05-02T00:00', {}, '2026-04-01T09:00:00.000Z');
    expect(states([waited], [calendar('2026-03-15T00:00')], '2026-05-02T10:00')).toEqual([
      ...['2026-04-01 done late', '2026-05-01 due'],
    ]);
  });

  test('a skipped one stays skipped; a deferred one is late only after its new time', () => {
    const about = { drill: 'component', dueAt: '2026-04-01T09:00:00.000Z', reason: 'quarter end' };
    const skipped = said('2026-03-30T00:00', { kind: 'drill-skipped', ...about });
    const deferred = said('2026-04-01T09:00', {
      ...{ kind: 'drill-deferred', ...about, until: '2026-04-10T09:00:00.000Z' },
    });
    const start = calendar('2026-03-15T00:00');
    expect(states([], [start, skipped], '2026-05-02T00:00')[0]).toBe('2026-04-01 skipped');
    expect(states([], [start, deferred], '2026-04-09T00:00')).toEqual(['2026-04-01 deferred']);
    expect(states([], [start, deferred], '2026-04-11T00:00')).toEqual(['2026-04-01 due']);
    expect(states([], [start, deferred], '2026-04-13T00:00')).toEqual(['2026-04-01 late']);
    const [done] = dueDrills([drill('2026-04-10T10:00')], [start, deferred], '2026-04-13T00:00:00.000Z');
    expect(done).toMatchObject({ state: 'done', reason: 'quarter end', by: 'ann' });
  });

  test('a calendar that was changed counts from its own day on', () => {
    const entries = [calendar('2026-03-15T00:00'), calendar('2026-04-15T00:00', '0 9 20 * *')];
    expect(states([], entries, '2026-05-02T00:00')).toEqual(['2026-04-01 missed', '2026-04-20 late']);
  });
});
