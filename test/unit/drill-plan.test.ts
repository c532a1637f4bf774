import { describe, expect, test } from 'vitest';
import { DRILL_TYPES, NEVER_IN_A_DRILL } from '../../domain/drill.ts';
import { RECOVERABLE, SCENARIOS } from '../../domain/run.ts';
import { compileDrill, type DrillRequest } from '../../runbooks/drill-plan.ts';
import { DRILL_STEPS } from '../../runbooks/drill.ts';
import { requireSoundOrder } from '../../runbooks/order.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import type { DeploymentShape } from '../../runbooks/shape.ts';
import { FULL_SHAPE } from '../harness/shape.ts';

const SHAPE: DeploymentShape = { ...FULL_SHAPE, drill: { site: 'dr', limitMs: 600_000 } };
const REQUEST: DrillRequest = {
  ...{ type: 'full', scenario: 'infrastructure', end: 'teardown', participants: [] },
  ...{ backup: 'latest', onFailure: 'abort', decide: 'auto' },
};
const compiled = (request: Partial<DrillRequest> = {}, shape = SHAPE) =>
  compileDrill(shape, { ...REQUEST, ...request });

const IDS: readonly string[] = DRILL_STEPS.map(({ id }) => id);

/** Every drill that can be asked for. */
const ALL: readonly Partial<DrillRequest>[] = [
  ...RECOVERABLE.map((component) => ({ type: 'component' as const, component })),
  ...SCENARIOS.map((scenario) => ({ type: 'simulation' as const, scenario })),
  { type: 'full' },
];

describe('the table of a drill', () => {
  test('is sound as it stands, whole', () => {
    expect(() => requireSoundOrder(DRILL_STEPS, IDS, [])).not.toThrow();
  });

  test('has every step of a recovery, as the recovery has it: what is rehearsed is what will run', () => {
    for (const step of RECOVER_STEPS) expect(DRILL_STEPS.find(({ id }) => id === step.id)).toEqual(step);
  });

  test('looks at the live site first, and again when everything is taken back', () => {
    expect(IDS[0]).toBe('observe-live');
    expect(IDS.slice(-3)).toEqual(['find-leaks', 'compare-live', 'write-record']);
  });
});

describe.each(ALL)('the plan of %j', (request) => {
  test('decides on each step of the table: it is planned, or left out for a reason', () => {
    const { steps, leftOut } = compiled(request);
    expect([...steps, ...Object.keys(leftOut)].sort()).toEqual([...IDS].sort());
    expect(new Set(steps).size).toBe(steps.length);
  });

  test('has no step that moves traffic, gives the live site up, or looks after what is torn down', () => {
    const { steps, leftOut, workers } = compiled(request);
    for (const id of NEVER_IN_A_DRILL) expect(leftOut[id], id).toBe('drill');
    expect(steps.filter((id) => NEVER_IN_A_DRILL.includes(id))).toEqual([]);
    // Nobody of the live site is called but to look at it.
    expect(workers).toMatchObject({ source: [], traffic: [], live: ['primary'], target: ['dr'] });
  });

  test('proves that the live site is untouched and that nothing is left', () => {
    const { steps } = compiled(request);
    for (const id of ['observe-live', 'list-target', 'find-leaks', 'compare-live', 'write-record'])
      expect(steps, id).toContain(id);
  });
});

describe('a component drill', () => {
  test.each([
    [
      'redis',
      ['restore-redis-data', 'start-redis', 'prove-redis'],
      ['restore-database-data', 'start-dashboard'],
    ],
    ['database', ['restore-database-data', 'start-database', 'prove-database'], ['restore-redis-data']],
    ['dashboard', ['start-redis', 'start-database', 'prove-dashboard'], ['start-gateways', 'start-pump']],
    ['gateway', ['start-redis', 'start-dashboard', 'start-gateways', 'prove-gateways', 'prove-apis'], []],
  ] as const)('of %s brings back what it stands on, and no more', (component, has, lacks) => {
    const { steps, leftOut } = compiled({ type: 'component', component });
    expect(steps).toEqual(expect.arrayContaining([...has]));
    for (const id of lacks) expect(leftOut[id]).toBe('component');
  });
});

describe('a simulation', () => {
  test('breaks its copy; no other drill breaks anything', () => {
    for (const request of ALL)
      expect(compiled(request).steps.includes('inject-disaster')).toBe(request.type === 'simulation');
  });

  test('recovers as its scenario asks', () => {
    const { steps, leftOut } = compiled({ type: 'simulation', scenario: 'human-error' });
    expect(steps).toContain('restore-database-data');
    expect(leftOut['restore-redis-data']).toBe('scenario');
  });

  test('waits for a person only when one is to decide', () => {
    expect(compiled({ type: 'simulation' }).approvals).toBeUndefined();
    const shape = { ...SHAPE, approvers: 1 };
    expect(compiled({ type: 'simulation', decide: 'person' }, shape).approvals).toMatchObject([
      { step: 'claim-target', onTimeout: 'abort' },
    ]);
  });
});

test('a deployment that lacks a part rehearses without it', () => {
  const { leftOut } = compiled({}, { ...SHAPE, hasDashboard: false, hasDatabase: false, hasPump: false });
  expect(leftOut).toMatchObject({ 'start-dashboard': 'deployment', 'restore-database-data': 'deployment' });
});

test('a database without a log is rehearsed from the set', () => {
  expect(compiled().point).toEqual({ kind: 'archive-end' });
  expect(compiled({}, { ...SHAPE, hasDatabaseLog: false }).point).toEqual({ kind: 'set' });
});

describe('no drill', () => {
  test('of a deployment that declares no site for it', () => {
    expect(() => compileDrill(FULL_SHAPE, REQUEST)).toThrow(/acme declares no site for drills/);
  });

  test.each<[string, Partial<DrillRequest>, RegExp]>([
    ['of a component that is not named', { type: 'component' }, /--component.*redis, database, dashboard/],
    ['of one component that is to be all', { type: 'full', component: 'redis' }, /--component.*full drill/],
    ['from nonsense', { backup: 'yesterday' }, /--backup.*yesterday/],
    ['promoted that has proven too little', { type: 'simulation', end: 'promote' }, /--end.*--type full/],
    ['promoted with a fault in it', { end: 'promote', plant: 'missing-api' }, /--plant/],
    ['with a decision where nothing is to be decided', { decide: 'person' }, /--decide.*simulation/],
    ['whose decision nobody may make', { type: 'simulation', decide: 'person' }, /--decide.*approvers/],
    ['of the site for drills itself', { from: 'dr' }, /--from.*drills go to dr/],
    ['of a site that is not there', { from: 'paris' }, /paris/],
  ])('%s', (_what, request, expected) => {
    expect(() => compiled(request)).toThrow(expected);
  });

  test('of one of several sites, unless it is said which', () => {
    const site = { worker: 'eu', gatewayWorkers: ['eu'], provisions: false };
    const shape = { ...SHAPE, sites: { ...SHAPE.sites, eu: site } };
    expect(() => compiled({}, shape)).toThrow(/--from.*one of primary, eu/);
    expect(compiled({ from: 'eu' }, shape)).toMatchObject({ from: 'eu', workers: { live: ['eu'] } });
  });

  test('has a type that nobody thought of', () => {
    expect(new Set([...ALL.map(({ type }) => type), 'tabletop'])).toEqual(new Set(DRILL_TYPES));
  });
});
