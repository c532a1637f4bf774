import { describe, expect, test } from 'vitest';
import {
  decide,
  healDueMs,
  lagOfBackups,
  siteToGoTo,
  startObjection,
  withCures,
  type Situation,
} from '../../domain/monitor-decision.ts';
import type { DeadPart, Glance } from '../../domain/monitor-glance.ts';
import { newStanding, type SiteStanding } from '../../domain/monitor-standing.ts';
import type { Heal, ReplicationStanding, Watched } from '../../domain/monitor.ts';
import { healPlan, proposed, takeover } from '../../runbooks/monitor-plan.ts';
import { FULL_SHAPE } from '../harness/shape.ts';

const NOW = Date.parse('2026-01-02T00:00:00.000Z');
const ago = (ms: number): string => new Date(NOW - ms).toISOString();
const MINUTE = 60_000;
const HEAL = { heal: { perHour: 2, afterMs: 10_000 } };

const dead = (component: Watched): DeadPart => ({ component, names: [component], why: 'stopped' });
function situation(
  level: Glance['level'],
  parts: readonly Watched[],
  more: Partial<Situation> & { state?: SiteStanding['state']; deadForMs?: number } = {},
): Situation {
  const { state = level === 'down' ? 'suspect' : level, deadForMs = MINUTE, ...rest } = more;
  return {
    standing: {
      ...newStanding(NOW, ''),
      state,
      deadSince: Object.fromEntries(parts.map((component) => [component, ago(deadForMs)])),
    },
    seen: { level, reasons: [], dead: parts.map(dead) },
    heals: [],
    ...rest,
  };
}
const healed = (component: Watched, atMs: number, curedAt?: string): Heal => ({
  ...{ component, names: [component], run: 'rec-1', at: ago(atMs) },
  ...(curedAt === undefined ? {} : { curedAt }),
});
const decided = (of: Situation, rules: Parameters<typeof decide>[1] = HEAL) => decide(of, rules, NOW).do;

describe('healing', () => {
  test('one dead component is started again once it has been dead for long enough', () => {
    expect(decided(situation('down', ['redis']))).toBe('heal');
    expect(decided(situation('degraded', ['dashboard']))).toBe('heal');
    const early = situation('down', ['redis'], { deadForMs: 4_000 });
    expect(decided(early)).toBe('nothing');
    expect(healDueMs(early, HEAL, NOW)).toBe(NOW + 6_000);
  });

  test.each<[string, Situation, Parameters<typeof decide>[1]?]>([
    ['it is off', situation('down', ['redis']), {}],
    ['somebody pauses the monitor', situation('down', ['redis'], { suspended: 'paused by ann' })],
    ['several are dead and clients are not served', situation('down', ['redis', 'gateway'])],
    ['only the Pump is dead', situation('degraded', ['pump'])],
    [
      'the limit of the hour is reached',
      situation('degraded', ['redis'], {
        heals: [healed('gateway', 50 * MINUTE, ago(MINUTE)), healed('redis', 20 * MINUTE, ago(MINUTE))],
      }),
    ],
    [
      'it did not help a moment ago, and clients wait',
      situation('down', ['redis'], { heals: [healed('redis', 2 * MINUTE)] }),
    ],
  ])('not where %s', (_what, of, rules = HEAL) => {
    expect(decided(of, rules)).toBe('nothing');
    expect(healDueMs(of, rules, NOW)).toBeUndefined();
  });

  test('of several dead ones that clients do not miss, what the others stand on comes first', () => {
    expect(decide(situation('degraded', ['database', 'dashboard']), HEAL, NOW)).toMatchObject({
      part: { component: 'database' },
    });
  });

  test('the limit counts an hour', () => {
    const heals = [healed('redis', 61 * MINUTE), healed('gateway', 20 * MINUTE)];
    expect(decided(situation('degraded', ['redis'], { heals }))).toBe('heal');
  });

  test('what is seen alive again is cured, and may be started again', () => {
    const [cured] = withCures([healed('redis', MINUTE)], { level: 'healthy', reasons: [], dead: [] }, NOW);
    expect(cured!.curedAt).toBe(new Date(NOW).toISOString());
    expect(decided(situation('down', ['redis'], { heals: [cured!] }))).toBe('heal');
  });
});

test('a site is given up when it has failed, once', () => {
  expect(decided(situation('down', ['redis', 'gateway'], { state: 'failed' }))).toBe('give-up');
  const acted = { what: 'notify', at: ago(0) } as const;
  expect(decided(situation('down', ['redis', 'gateway'], { state: 'failed', acted }))).toBe('nothing');
  const suspended = 'rec-1 is under way';
  expect(decided(situation('down', ['redis', 'gateway'], { state: 'failed', suspended }))).toBe('nothing');
});

describe('nothing starts by itself', () => {
  const rules = { rpoMs: 300_000, budgetPerDay: 1 };
  const known: ReplicationStanding = { stores: [{ store: 'redis', lagMs: 1_000 }], fencePossible: true };
  const why = (standing: Partial<ReplicationStanding>, starts: string[] = []) =>
    startObjection({ ...known, ...standing }, starts, rules, NOW);

  test('unless lag and fence are known to be good, and the budget of the day is left', () => {
    expect(why({})).toBeUndefined();
    expect(why({}, [ago(25 * 60 * MINUTE)])).toBeUndefined();
  });

  test.each<[Partial<ReplicationStanding>, string[], RegExp]>([
    [{}, [ago(23 * 60 * MINUTE)], /1 of 1 automatic starts/],
    [{ stores: [] }, [], /not known/],
    [{ stores: [{ store: 'redis' }] }, [], /how far redis is behind is not known/],
    [{ stores: [{ store: 'database', lagMs: 300_001 }] }, [], /database is .* behind, more than the RPO/],
    [{ fencePossible: false }, [], /cannot be fenced/],
  ])('%j %j', (standing, starts, expected) => {
    expect(why(standing, starts)).toMatch(expected);
  });

  test('a dead site cannot be measured: what was measured before, and all the time since, is the most it can be', () => {
    const now = { at: ago(0), standings: [{ store: 'redis' as const, basis: 'no site runs its stores' }] };
    const before = {
      at: ago(3 * MINUTE),
      standings: [{ store: 'redis' as const, basis: '', exposureMs: MINUTE }],
    };
    expect(lagOfBackups(now, before, ago(MINUTE))).toEqual([{ store: 'redis', lagMs: 3 * MINUTE }]);
    expect(lagOfBackups(now, undefined, ago(MINUTE))).toEqual([
      { store: 'redis', why: 'no site runs its stores' },
    ]);
  });
});

test('where to go is never where drills are, nor where it fails, nor a guess', () => {
  const sites = ['primary', 'dr', 'drill', 'third'].map((site) => ({ site, workers: [site] }));
  expect(siteToGoTo({ sites: sites.slice(0, 3), drillSite: 'drill' }, 'primary')).toBe('dr');
  expect(siteToGoTo({ sites, drillSite: 'drill' }, 'primary')).toBeUndefined();
  expect(siteToGoTo({ sites, drillSite: 'drill', to: 'third' }, 'primary')).toBe('third');
  expect(siteToGoTo({ sites: sites.slice(0, 2), to: 'dr' }, 'dr')).toBe('primary');
});

describe('the plans', () => {
  test('of a component that is started again restore nothing: what it has since the backup stays', () => {
    for (const component of ['redis', 'database', 'dashboard', 'gateway'] as const) {
      const plan = healPlan(FULL_SHAPE, 'primary', dead(component));
      expect(plan.steps.filter((id) => /restore|place|provision|protect/.test(id))).toEqual([]);
      expect(plan.steps).toContain(component === 'gateway' ? 'start-gateways' : `start-${component}`);
      expect(plan).toMatchObject({ component, asIs: [component], inPlace: true, onFailure: 'abort' });
    }
  });

  test('of a proposal wait for a word before their first change', () => {
    const { plan } = takeover(FULL_SHAPE, 'primary', 'dr');
    expect(proposed(plan).approvals).toMatchObject([
      { step: 'fence-source', count: 1, onTimeout: 'escalate' },
    ]);
    const sites = { ...FULL_SHAPE.sites, dr: { ...FULL_SHAPE.sites['dr']!, provisions: true } };
    expect(proposed(takeover({ ...FULL_SHAPE, sites }, 'primary', 'dr').plan).approvals).toMatchObject([
      { step: 'provision-target' },
    ]);
    const own = {
      step: 'fence-source',
      count: 2,
      roles: ['lead'],
      timeoutMs: 1,
      onTimeout: 'abort',
    } as const;
    const asked = takeover({ ...FULL_SHAPE, approvals: [own] }, 'primary', 'dr').plan;
    expect(proposed(asked).approvals).toEqual([own]);
  });
});
