import { describe, expect, test } from 'vitest';
import { outlook } from '../../domain/outlook.ts';
import type { RunSummary } from '../../domain/run-summary.ts';
import { outlookText } from '../../report/overview.ts';

/** The forecast of a run in flight, held against its RTO. */

const START_MS = Date.parse('2026-11-24T14:00:00.000Z');
const at = (minutes: number): string => new Date(START_MS + minutes * 60_000).toISOString();
type Known = Pick<RunSummary, 'clock' | 'objectives' | 'waits' | 'forecastMs' | 'endedAt'>;

function run(changes: Partial<Known> = {}): Known {
  return {
    clock: [
      { name: 'declared', at: at(0), source: 'x' },
      { name: 'started', at: at(2), source: 'x' },
    ],
    objectives: { rtoMs: 32 * 60_000, rpoMs: 1 },
    waits: [],
    ...changes,
  };
}

const said = (known: Known, minutes: number): string =>
  outlookText(outlook(known, START_MS + minutes * 60_000), START_MS + minutes * 60_000);

describe('the forecast', () => {
  test('says when the RTO is used up, also before there is one', () => {
    expect(said(run(), 3)).toBe('no forecast yet, breaches at 14:32 UTC');
  });

  test('says when traffic should be there, and that this is in time', () => {
    expect(said(run({ forecastMs: 20 * 60_000 }), 3)).toBe('done about 14:22 UTC, breaches at 14:32 UTC');
  });

  test('says that it breaches while there is still time to do something', () => {
    expect(said(run({ forecastMs: 31 * 60_000 }), 3)).toBe('breaches at 14:32 UTC, done about 14:33 UTC');
  });

  test('is put off by what the run waits for people', () => {
    const waits = [
      { for: 'x', from: at(3), until: at(5) },
      { for: 'y', from: at(10) },
    ];
    expect(outlook(run({ forecastMs: 20 * 60_000, waits }), START_MS + 20 * 60_000)).toMatchObject({
      verdict: 'will breach',
      expectedAt: at(2 + 20 + 2 + 10),
    });
  });

  test('does not claim that a run which is late will be done in the past', () => {
    const late = outlook(run({ forecastMs: 5 * 60_000 }), START_MS + 10 * 60_000);
    expect(late).toMatchObject({ verdict: 'in time', behindMs: 3 * 60_000, expectedAt: at(10) });
    expect(said(run({ forecastMs: 5 * 60_000 }), 10)).toBe(
      '3 min 00 s behind its forecast, breaches at 14:32 UTC',
    );
  });

  test('names the breach, and the day where it is not today', () => {
    expect(said(run({ forecastMs: 5 * 60_000 }), 40)).toMatch(/^BREACHED at 14:32 UTC, /);
    expect(said(run(), 24 * 60)).toBe('BREACHED at 2026-11-24 14:32 UTC');
  });

  test('gives way to what was achieved, and an end without traffic is no success', () => {
    const verified = { name: 'traffic verified' as const, at: at(9), source: 'x' };
    const done = outlook(run({ clock: [...run().clock, verified], endedAt: at(11) }), START_MS + 99 * 60_000);
    expect(done).toMatchObject({ verdict: 'met', elapsedMs: 9 * 60_000 });
    expect(outlook(run({ endedAt: at(5) }), START_MS + 99 * 60_000)).toMatchObject({
      verdict: 'missed',
      elapsedMs: 5 * 60_000,
    });
  });
});
