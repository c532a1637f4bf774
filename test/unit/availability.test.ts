import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAvailability } from '../../adapters/witness/read.ts';
import { AvailabilityCount, availabilityPercent, availabilityVerdict } from '../../domain/availability.ts';
import { availabilitySection } from '../../report/availability.ts';

/** Availability is told with how much of the time anything is known of: what nobody saw is never well. */

const NOW = Date.parse('2026-11-28T00:00:00Z');
const DAY = 86_400_000;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-availability-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A request a minute over the last days, of which the newest so many have failed. */
function counted(days: number, failed: number, of = 30) {
  const count = new AvailabilityCount(of, NOW);
  const minutes = days * 1440;
  for (let at = 1; at <= minutes; at += 1) count.add(NOW - at * 60_000, at <= failed);
  return count.result();
}

describe('the verdict', () => {
  test.each([
    ['all of the time, without a failure', counted(30, 0), 99.9, 'met'],
    ['all of the time, with too many', counted(30, 60), 99.9, 'missed'],
    ['half of the time, without a failure: the rest is not known', counted(15, 0), 99.9, 'not measured'],
    ['a little, with so many that the rest cannot make up for it', counted(3, 200), 99.9, 'missed'],
    ['a little, with few', counted(3, 1), 99.9, 'not measured'],
    ['nothing at all', counted(0, 0), 99.9, 'not measured'],
    ['all of it, where nothing is promised', counted(30, 0), undefined, 'no SLO'],
  ] as const)('of %s is %s', (_what, measured, slo, verdict) => {
    expect(availabilityVerdict(measured, slo)).toBe(verdict);
  });

  test('no single failure is rounded away', () => {
    expect(availabilityPercent({ days: 30, requests: 1_000_000, failed: 1, coverage: 1 })).toBe(99.999);
    expect(availabilityPercent({ days: 30, requests: 10, failed: 0, coverage: 1 })).toBe(100);
  });
});

test('the file of the witness is read whole: each period counts its own, lines that are none do not count', async () => {
  const file = join(dir, 'clients.jsonl');
  const line = (daysAgo: number, status: number): string =>
    JSON.stringify({ at: new Date(NOW - daysAgo * DAY).toISOString(), method: 'GET', status });
  await writeFile(
    file,
    [
      line(400, 500),
      line(200, 200),
      line(100, 503),
      line(5, 200),
      'half a li',
      line(4, 404),
      '{"at":',
      '',
    ].join('\n'),
  );
  const [month, year] = (await readAvailability(file, [30, 365], NOW))!;
  expect(month).toMatchObject({ requests: 2, failed: 1, from: new Date(NOW - 5 * DAY).toISOString() });
  expect(year).toMatchObject({ requests: 4, failed: 2 });
  expect(year!.coverage).toBeCloseTo(4 / (365 * 1440));
  expect(await readAvailability(join(dir, 'none'), [30], NOW)).toBeUndefined();
});

test('the review says what was not measured, and why', () => {
  expect(availabilitySection({ why: 'no witness is configured' }).text).toEqual([
    'Not measured: no witness is configured.',
  ]);
  const { table } = availabilitySection({ measured: [counted(0, 0), counted(15, 0)], sloPercent: 99.9 });
  expect(table!.rows.map((row) => [row[3], row[4], row[6]])).toEqual([
    ['not measured', '0.0 %', 'NOT MEASURED'],
    ['100 %', '50.0 %', 'NOT MEASURED'],
  ]);
});
