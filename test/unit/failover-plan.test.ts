import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../adapters/config/load.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { checkConfig } from '../../domain/config-check.ts';
import type { Config } from '../../domain/config.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import { FAILOVER_MODES, type FailoverMode } from '../../domain/failover.ts';
import { STRATEGIES } from '../../domain/strategy.ts';
import { planText } from '../../report/plan-text.ts';
import { planDocument } from '../../runbooks/plan-document.ts';
import { compileFailover } from '../../runbooks/failover-plan.ts';
import { FAILOVER_PRECONDITIONS, FAILOVER_STEPS } from '../../runbooks/failover.ts';
import { requireSoundOrder } from '../../runbooks/order.ts';
import { compileReplicate } from '../../runbooks/replicate-plan.ts';
import { REPLICATE_PRECONDITIONS, REPLICATE_STEPS } from '../../runbooks/replicate.ts';
import { everyWorker, workersNeeded } from '../../runbooks/workers.ts';
import { FULL_SHAPE } from '../harness/shape.ts';

const SHAPE = { ...FULL_SHAPE, strategy: 'pilot-light' as const };
const idsOf = (table: readonly { readonly id: string }[]): string[] => table.map(({ id }) => id);

describe('the tables', () => {
  test('are sound as they stand, whole', () => {
    expect(() =>
      requireSoundOrder(FAILOVER_STEPS, idsOf(FAILOVER_STEPS), [], FAILOVER_PRECONDITIONS),
    ).not.toThrow();
    expect(() =>
      requireSoundOrder(REPLICATE_STEPS, idsOf(REPLICATE_STEPS), [], REPLICATE_PRECONDITIONS),
    ).not.toThrow();
  });

  test.each(['fence-source', 'take-command', 'check-replicas'])(
    'refuse a failover that would promote without %s before it',
    (id) => {
      const steps = idsOf(FAILOVER_STEPS).filter((each) => each !== id);
      expect(() => requireSoundOrder(FAILOVER_STEPS, steps, [id], FAILOVER_PRECONDITIONS)).toThrow(
        `without ${id} before it`,
      );
    },
  );

  test.each(['check-source', 'check-standby', 'claim-standby'])(
    'refuse to replace data of a site without %s before it',
    (id) => {
      const steps = idsOf(REPLICATE_STEPS).filter((each) => each !== id);
      expect(() => requireSoundOrder(REPLICATE_STEPS, steps, [id], REPLICATE_PRECONDITIONS)).toThrow(
        `without ${id} before it`,
      );
    },
  );
});

describe('the workers that must be there', () => {
  const needed = (mode: FailoverMode): string[] =>
    workersNeeded(compileFailover(SHAPE, { to: 'dr', mode, onFailure: 'ask' }));
  const [old, standby] = ['primary', 'dr'].map((site) => everyWorker(SHAPE.sites[site]!));

  test('are those of both sites where nothing may be lost', () => {
    expect(needed('graceful')).toEqual(expect.arrayContaining([...old!, ...standby!]));
  });

  test('are not those of a site that is given up: it may be away with them', () => {
    expect(needed('forced')).toEqual(expect.arrayContaining(standby!));
    expect(needed('forced').filter((worker) => old!.includes(worker))).toEqual([]);
  });
});

describe.each(FAILOVER_MODES)('the plan of a %s failover', (mode) => {
  const plan = compileFailover(SHAPE, { to: 'dr', mode, onFailure: 'ask' });

  test('decides on each step of the table: it is planned, or left out for a reason', () => {
    expect([...plan.steps, ...Object.keys(plan.leftOut)].sort()).toEqual(idsOf(FAILOVER_STEPS).sort());
  });

  test('stops writes and becomes level where the source is there, and never where it is given up', () => {
    const only = ['stop-writes', 'await-level', 'retire-source'];
    expect(plan.steps.filter((id) => only.includes(id))).toEqual(mode === 'graceful' ? only : []);
    expect(plan.sourceMayBeGone).toBe(mode === 'forced');
  });

  test('moves the traffic before what waits out a cache or the Pump', () => {
    const at = (id: string): number => plan.steps.indexOf(id);
    for (const id of ['prove-analytics', 'prove-security', 'prove-dashboard-edit', 'protect-database'])
      expect(at(id), id).toBeGreaterThan(at('prove-traffic'));
  });
});

test.each(STRATEGIES.filter((strategy) => strategy !== 'backup-restore'))(
  'the standby of %s runs what its strategy says',
  (strategy) => {
    const { steps } = compileReplicate({ ...FULL_SHAPE, strategy }, { to: 'dr', onFailure: 'ask' });
    expect(steps.includes('start-gateways')).toBe(strategy !== 'pilot-light');
    expect(steps.includes('share-traffic')).toBe(strategy === 'hot');
    expect(steps).toContain('follow-database');
  },
);

test.each([
  ['a deployment that replicates nothing', { ...FULL_SHAPE }, 'dr', 'has the strategy backup-restore'],
  ['a site that is not there', SHAPE, 'moon', 'moon'],
] as const)('%s is refused', (_what, shape, to, said) => {
  const request = { to, mode: 'forced', onFailure: 'ask' } as const;
  expect(() => compileFailover(shape, request)).toThrow(said);
  expect(() => compileReplicate(shape, request)).toThrow(said);
});

test('a failover from a site to itself is refused by its option and value', () => {
  const request = { to: 'dr', from: 'dr', mode: 'forced', onFailure: 'ask' } as const;
  expect(() => compileFailover(SHAPE, request)).toThrow('--from');
});

test('is shown before it is made: what it does, in its order, and what is no way back', () => {
  const deployment = parseConfig(EXAMPLE, 'tyk-dr.yaml').deployments['payments']!;
  const shape = { ...SHAPE, sites: { london: SHAPE.sites['primary']!, paris: SHAPE.sites['dr']! } };
  const shown = (plan: RecoverPlan): string =>
    planText(
      planDocument(plan, { planDigest: 'p', configDigest: 'c', deployment, forecast: 'not asked for' }),
    );
  const failover = compileFailover(shape, { to: 'paris', mode: 'graceful', onFailure: 'ask' });
  const text = shown(failover);
  expect(text).toMatch(/^Failover \(graceful\) of acme from london to paris/);
  const places = failover.steps.map((id) => text.indexOf(` ${id} `));
  expect(places.every((place) => place > 0)).toBe(true);
  expect(text).toContain('the point of no return');
  const standby = shown(compileReplicate(shape, { to: 'paris', onFailure: 'ask' }));
  expect(standby).toMatch(/^Make paris of acme follow london/);
  expect(standby).toContain('/var/lib/postgresql/15/main');
});

describe('the configuration of a strategy', () => {
  const changed = (change: (deployment: Record<string, unknown>) => void): Config => {
    const config: Config = structuredClone(parseConfig(EXAMPLE, 'tyk-dr.yaml'));
    change(config.deployments['payments'] as unknown as Record<string, unknown>);
    return config;
  };
  const problems = (change: (deployment: Record<string, unknown>) => void): string[] =>
    checkConfig(changed(change)).map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`);

  test('needs the section replication, and that is for no other', () => {
    expect(problems((own) => (own['strategy'] = 'pilot-light'))).toContainEqual(
      expect.stringContaining('replication: missing; expected one'),
    );
    expect(problems((own) => (own['replication'] = { redis: {} }))).toContainEqual(
      expect.stringContaining('replication: the strategy is backup-restore'),
    );
  });

  test('says which store cannot be followed', () => {
    const found = problems((own) => {
      own['strategy'] = 'pilot-light';
      own['replication'] = { redis: {}, database: { user: 'u', password: 'env:P', mode: 'asynchronous' } };
      const sites = own['sites'] as Record<string, { database: { method: string } }>;
      for (const site of Object.values(sites)) site.database.method = 'dump';
    });
    expect(found).toContainEqual(
      expect.stringMatching(/^sites\.\w+\.database\.method: dump with pilot-light/),
    );
  });

  test('leaves the digest of a deployment without one as it was before there were strategies', () => {
    const plain = parseConfig(EXAMPLE, 'tyk-dr.yaml').deployments['payments']!;
    const { strategy: _strategy, ...earlier } = plain;
    expect(configDigest(plain)).toBe(configDigest(earlier as typeof plain));
    expect(configDigest({ ...plain, strategy: 'hot' })).not.toBe(configDigest(plain));
  });
});
