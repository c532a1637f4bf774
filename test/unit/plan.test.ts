import { describe, expect, test } from 'vitest';
import { SCENARIOS } from '../../domain/run.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { RECOVER_STEPS } from '../../runbooks/recover.ts';
import type { RecoverRequest } from '../../runbooks/shape.ts';
import { FULL_SHAPE, REQUEST } from '../harness/shape.ts';

const OCCURRED = '2026-11-24T03:00:00.000Z';

describe('the plan', () => {
  test('follows the documented order: infrastructure, stores, Dashboard, Gateways, verification, traffic', () => {
    const { steps } = compilePlan(FULL_SHAPE, REQUEST);
    const phases = [...new Set(steps.map((id) => RECOVER_STEPS.find((step) => step.id === id)!.phase))];
    expect(phases).toEqual([
      'infrastructure',
      'redis',
      'database',
      'dashboard',
      'gateways',
      'verification',
      'traffic',
      'close-out',
    ]);
  });

  test('differs for each of the five scenarios', () => {
    const plans = SCENARIOS.map((scenario) => {
      const plan = compilePlan(FULL_SHAPE, { ...REQUEST, scenario, occurredAt: OCCURRED });
      // Everything but the label itself.
      return JSON.stringify({ ...plan, scenario: undefined });
    });
    expect(new Set(plans).size).toBe(5);
  });

  test('of a regional disaster counts on nobody at the lost site, and never rebuilds there', () => {
    expect(compilePlan(FULL_SHAPE, { ...REQUEST, scenario: 'regional' }).sourceMayBeGone).toBe(true);
    expect(compilePlan(FULL_SHAPE, { ...REQUEST, scenario: 'infrastructure' }).sourceMayBeGone).toBe(false);
    const inPlace = { ...REQUEST, to: 'primary', inPlace: true, scenario: 'regional' } as const;
    expect(() => compilePlan(FULL_SHAPE, inPlace)).toThrow('another site than the lost one');
  });

  test.each([
    [{ component: 'pump' as never }, '--component'],
    [{ component: 'traffic' as never }, '--component'],
    [{ component: 'redis', from: 'primary' } as const, '--from'],
    [{ backup: 'nonsense' }, '--backup'],
  ])('of nonsense is refused: %j', (request, argument) => {
    expect(() => compilePlan(FULL_SHAPE, { ...REQUEST, ...request })).toThrow(argument);
  });

  test('in place takes the site out of the traffic first; elsewhere it never had any', () => {
    const inPlace = compilePlan(FULL_SHAPE, { ...REQUEST, to: 'primary', inPlace: true });
    expect(inPlace.steps).toContain('hold-traffic');
    expect(inPlace.steps).not.toContain('fence-source');
    expect(inPlace.workers.others).toEqual(['dr']);
    expect(inPlace.steps).toContain('check-other-sites');
    const elsewhere = compilePlan(FULL_SHAPE, REQUEST);
    expect(elsewhere.steps).not.toContain('hold-traffic');
    expect(elsewhere.steps).not.toContain('check-other-sites');
  });

  test.each(['corruption', 'human-error'] as const)(
    'of %s never ends at the end of the archive, which holds the damage',
    (scenario) => {
      expect(() => compilePlan(FULL_SHAPE, { ...REQUEST, scenario })).toThrow(/point before the damage/);
      const plan = compilePlan(FULL_SHAPE, { ...REQUEST, scenario, occurredAt: OCCURRED });
      expect(plan.point).toEqual({ kind: 'set' });
      expect(plan.backupBefore).toBe(OCCURRED);
    },
  );

  test('without a log of the database there is no point but that of a set', () => {
    const shape = { ...FULL_SHAPE, hasDatabaseLog: false };
    const whole = compilePlan(shape, REQUEST);
    expect(whole.point).toEqual({ kind: 'set' });
    // The outage has a time, and no set is worse for having been taken since.
    expect(compilePlan(shape, { ...REQUEST, occurredAt: OCCURRED }).backupBefore).toBeUndefined();
    expect(() => compilePlan(shape, { ...REQUEST, toTime: OCCURRED })).toThrow(
      /--to-time .*each set is one point; --scenario human-error --occurred/,
    );
    const undone = compilePlan(shape, { ...REQUEST, scenario: 'human-error', occurredAt: OCCURRED });
    expect(undone).toMatchObject({ point: { kind: 'set' }, backupBefore: OCCURRED });
  });

  test('of a human error keeps the keys that were issued since', () => {
    const { steps } = compilePlan(FULL_SHAPE, { ...REQUEST, scenario: 'human-error', occurredAt: OCCURRED });
    expect(steps).toContain('restore-database-data');
    expect(steps).not.toContain('restore-redis-data');
  });

  test('of a network outage fences and switches, and restores no healthy store', () => {
    const { steps } = compilePlan(FULL_SHAPE, { ...REQUEST, scenario: 'network' });
    expect(steps).toEqual(
      expect.arrayContaining(['fence-source', 'start-redis', 'start-database', 'switch-traffic']),
    );
    expect(steps).not.toContain('restore-redis-data');
    expect(steps).not.toContain('restore-database-data');
  });

  test('rebuilds in place only when asked to', () => {
    expect(() => compilePlan(FULL_SHAPE, { ...REQUEST, to: 'primary', from: 'primary' })).toThrow(
      /--in-place/,
    );
    const plan = compilePlan(FULL_SHAPE, { ...REQUEST, to: 'primary', inPlace: true });
    expect(plan.steps).not.toContain('fence-source');
  });

  test('of one component touches no other component and no traffic', () => {
    const { steps } = compilePlan(FULL_SHAPE, { ...REQUEST, to: 'primary', component: 'redis' });
    expect(steps).toContain('restore-redis-data');
    for (const other of [
      'restore-database-data',
      'restore-dashboard-config',
      'start-gateways',
      'switch-traffic',
      'fence-source',
    ]) {
      expect(steps).not.toContain(other);
    }
  });

  test('of file-mode Gateways has neither database nor Dashboard steps', () => {
    const { steps } = compilePlan({ ...FULL_SHAPE, hasDashboard: false, hasDatabase: false }, REQUEST);
    expect(steps.filter((id) => /database|dashboard/.test(id))).toEqual([]);
    expect(steps).toContain('prove-gateways');
  });

  test('says of every step that it leaves out why', () => {
    const lacking = { ...FULL_SHAPE, hasDashboard: false };
    expect(compilePlan(lacking, { ...REQUEST, scenario: 'network' }).leftOut).toMatchObject({
      'start-dashboard': 'deployment',
      'restore-redis-data': 'scenario',
    });
    const component = compilePlan(lacking, { ...REQUEST, to: 'primary', component: 'redis' });
    expect(component.leftOut).toMatchObject({ 'start-dashboard': 'deployment', 'start-pump': 'component' });
    const inPlace = compilePlan(lacking, { ...REQUEST, to: 'primary', inPlace: true });
    expect(inPlace.leftOut['fence-source']).toBe('in-place');
    for (const plan of [component, inPlace])
      expect([...plan.steps, ...Object.keys(plan.leftOut)].sort()).toEqual(
        RECOVER_STEPS.map(({ id }) => id as string).sort(),
      );
  });

  test('carries no command, address or secret', () => {
    const text = JSON.stringify(compilePlan(FULL_SHAPE, REQUEST));
    expect(text).not.toMatch(/file:|env:|http|\/var|password/);
  });

  test('names the sites that exist when a site is unknown', () => {
    expect(() => compilePlan(FULL_SHAPE, { ...REQUEST, to: 'mars' })).toThrow(
      /no site 'mars'; it declares primary, dr/,
    );
  });
});

describe('the step table', () => {
  test('names only steps that stand above it as predecessors', () => {
    const seen = new Set<string>();
    for (const step of RECOVER_STEPS) {
      for (const after of step.after) expect(seen, `${step.id} after ${after}`).toContain(after);
      seen.add(step.id);
    }
  });

  test('puts every refusal before the first effect', () => {
    const firstEffect = RECOVER_STEPS.findIndex((step) => step.risk === 'mutate');
    expect(RECOVER_STEPS.slice(0, firstEffect).map((step) => step.id)).toEqual([
      'check-backup',
      'check-target',
      'check-other-sites',
    ]);
  });
});

describe('snapshots', () => {
  const SNAPSHOT = '20260101T000000Z-0001-redis';
  test('are used unless somebody says otherwise, or the damage has no time and may be in them', () => {
    const uses = (request: Partial<RecoverRequest>) =>
      compilePlan(FULL_SHAPE, { ...REQUEST, ...request }).snapshots;
    const set = { backup: '20260101T000000Z-0001' };
    expect(uses({})).toBe('newest');
    expect(uses(set)).toBe('newest');
    expect(uses({ snapshots: false })).toBe('none');
    expect(uses({ ...set, scenario: 'corruption' })).toBe('none');
    expect(uses({ scenario: 'corruption', occurredAt: '2026-01-01T00:00:00.000Z' })).toBe('newest');
    expect(uses({ ...set, toTime: '2026-01-01T00:00:00.000Z' })).toBe('newest');
  });

  test('one that is named must be of a store that the plan restores', () => {
    const plan = (request: Partial<RecoverRequest>) => () =>
      compilePlan(FULL_SHAPE, { ...REQUEST, backup: SNAPSHOT, ...request });
    expect(plan({})().backup).toBe(SNAPSHOT);
    expect(plan({ scenario: 'human-error' })).toThrow('this plan does not restore Redis');
    expect(plan({ snapshots: false })).toThrow('--no-snapshots');
    expect(plan({ backup: `${SNAPSHOT}x` })).toThrow('--backup');
  });
});
