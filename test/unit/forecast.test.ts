import { expect, test } from 'vitest';
import { forecast } from '../../activities/forecast.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { RunRecord } from '../../domain/run.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { FULL_SHAPE, REQUEST } from '../harness/shape.ts';

/** What a commander is told before the start: sizes times rates, measured ones where there are any. */

const plan = compilePlan(FULL_SHAPE, REQUEST);
const manifest = { database: { databaseBytes: 300e6 }, redis: { keys: 280_000 } } as unknown as Manifest;

const step = (id: string, tookMs: number) => ({
  id,
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: new Date(Date.parse('2026-01-01T00:00:00.000Z') + tookMs).toISOString(),
});
const earlier = {
  run: 'rec-20260101-000000-abcd',
  set: { databaseBytes: 150e6, redisKeys: 140_000 },
  steps: [step('restore-database-data', 2_500), step('start-database', 500), step('restore-redis-data', 700)],
  clock: [
    { name: 'data restored', at: '2026-01-01T00:00:10.000Z', source: '' },
    { name: 'traffic verified', at: '2026-01-01T00:00:14.000Z', source: '' },
  ],
} as unknown as RunRecord;

const part = (of: ReturnType<typeof forecast>, name: string) => of.parts.find((each) => each.name === name)!;

test('without an earlier run it goes by rates, and shows them', () => {
  const said = forecast(plan, manifest);
  expect(part(said, 'database')).toMatchObject({ durationMs: 4_000 + 1_000 + 750 });
  expect(part(said, 'database').arithmetic).toContain('300 MB at 300 MB/s');
  expect(part(said, 'redis').durationMs).toBe(1_800);
});

test('an earlier run on the same target is measured truth, in proportion to the data', () => {
  const said = forecast(plan, manifest, earlier);
  expect(part(said, 'database').durationMs).toBe(6_000);
  expect(part(said, 'database').arithmetic).toBe('300 MB; 150 MB took 3.0 s in rec-20260101-000000-abcd');
  expect(part(said, 'redis').durationMs).toBe(1_400);
  expect(part(said, 'Tyk and proofs').durationMs).toBe(4_000);
});

test('stores are restored at the same time: the total counts the slower one', () => {
  const said = forecast(plan, manifest, earlier);
  expect(said.totalMs).toBe(6_000 + 4_000 + part(said, 'orchestration').durationMs);
});

test('an earlier run over much less data says nothing about this one', () => {
  const small = { ...earlier, set: { ...earlier.set!, databaseBytes: 1e6 } };
  expect(part(forecast(plan, manifest, small), 'database').arithmetic).toContain('at 300 MB/s');
});
