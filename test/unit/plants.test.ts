import { describe, expect, test } from 'vitest';
import { PLANTS, type DrillRecord } from '../../domain/drill.ts';
import { redOf } from '../../domain/plant-noticed.ts';
import { checksOf } from '../../domain/run-checks.ts';
import { compileDrill, type DrillRequest } from '../../runbooks/drill-plan.ts';
import { PLANTED } from '../../runbooks/plants.ts';
import { FULL_SHAPE } from '../harness/shape.ts';
import { runRecord } from '../harness/run-record.ts';

const SHAPE = { ...FULL_SHAPE, drill: { site: 'dr', limitMs: 600_000 }, approvers: 2 };
const REQUEST: DrillRequest = {
  ...{ type: 'full', scenario: 'infrastructure', end: 'teardown', participants: [] },
  ...{ backup: 'latest', onFailure: 'abort', decide: 'auto' },
};

describe('a planted fault', () => {
  test.each(PLANTS)('%s: a full drill has the step that must notice it', (plant) => {
    const { steps, drill } = compileDrill(SHAPE, { ...REQUEST, plant });
    expect(steps).toContain(PLANTED[plant].noticedBy);
    expect(drill?.plant).toBe(plant);
  });

  test('is refused where the drill would not see it, with the step that would', () => {
    const component = { ...REQUEST, type: 'component', component: 'redis' } as const;
    expect(() => compileDrill(SHAPE, { ...component, plant: 'missing-api' })).toThrow(
      /--plant is 'missing-api'; expected .*prove-dashboard/,
    );
    expect(compileDrill(SHAPE, { ...component, plant: 'empty-redis' }).steps).toContain('prove-redis');
  });

  test('is refused in a drill that may be promoted', () => {
    expect(() => compileDrill(SHAPE, { ...REQUEST, end: 'promote', plant: 'empty-redis' })).toThrow(
      /--plant is 'empty-redis'/,
    );
  });
});

describe('what went red', () => {
  const IDS = ['prove-redis', 'prove-dashboard', 'measure-loss'];

  test('is a step that failed, a proof that failed, an exception of a step, a loss that was not measured', () => {
    const green = runRecord({ steps: [], proofs: [], exceptions: [], losses: [] });
    expect(redOf(green, IDS)).toEqual([]);
    const failed = { id: 'prove-redis', phase: 'redis', state: 'failed', calls: 1 } as const;
    expect(redOf({ ...green, steps: [failed] }, IDS)).toEqual(['prove-redis']);
    const proof = { step: 'prove-redis', name: 'keys', verdict: 'fail', expected: '3', actual: '2' } as const;
    expect(redOf({ ...green, proofs: [proof] }, IDS)).toEqual(['prove-redis']);
    expect(redOf({ ...green, exceptions: ['prove-dashboard: 1 API is not there'] }, IDS)).toEqual([
      'prove-dashboard',
    ]);
    const losses = [{ store: 'redis', notMeasured: 'no watermark' }] as const;
    expect(redOf({ ...green, losses }, IDS)).toEqual(['measure-loss']);
  });
});

describe('the findings of a drill with a planted fault', () => {
  const drill = (plantNoticed: DrillRecord['plantNoticed']): DrillRecord => ({
    ...{ type: 'full', scenario: 'infrastructure', end: 'teardown', limitMs: 1, participants: [] },
    plant: 'empty-redis',
    untouched: { verdict: 'pass', looks: [{ what: 'gw1', before: 'a', after: 'a', verdict: 'pass' }] },
    leaks: { verdict: 'pass', made: 1, left: [] },
    ...(plantNoticed ? { plantNoticed } : {}),
  });
  const red = runRecord({
    outcome: 'FAILED_UNDONE',
    exceptions: ['prove-redis: no keys'],
  });

  test('where it was noticed there are none: it went red on purpose', () => {
    const seen = {
      plant: 'empty-redis',
      expected: 'prove-redis',
      noticed: true,
      by: ['prove-redis'],
    } as const;
    const checks = checksOf({ ...red, drill: drill(seen) });
    expect(checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(checks.map(({ check }) => check)).toContain('plant/empty-redis');
  });

  test('where it was not, that is the loudest there is, whatever else went well', () => {
    const unseen = { plant: 'empty-redis', expected: 'prove-redis', noticed: false, by: [] } as const;
    const checks = checksOf({ ...red, outcome: 'RECOVERED', drill: drill(unseen) });
    const [check, ...more] = checks.filter(({ verdict }) => verdict !== 'pass');
    expect(check).toMatchObject({ check: 'plant/empty-redis', verdict: 'fail', severity: 'critical' });
    expect(more).toEqual([]);
    expect(check!.text).toMatch(/NOT NOTICED by prove-redis/);
  });

  test('one that was never planted says nothing of itself', () => {
    const checks = checksOf({ ...red, drill: drill(undefined) });
    expect(checks.filter(({ verdict }) => verdict !== 'pass')).toMatchObject([
      { check: 'plant/empty-redis', verdict: 'not-measured' },
    ]);
  });
});
