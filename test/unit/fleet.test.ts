import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  fleetClass,
  fleetOfTurn,
  turnId,
  type Ending,
  type FleetLimits,
  type FleetMember,
  type FleetRecord,
} from '../../domain/fleet.ts';
import { fleetForecast } from '../../domain/fleet-forecast.ts';
import { limitsOn, nextTurns } from '../../domain/fleet-turns.ts';
import { TIER_DEFAULTS, TIERS } from '../../domain/objectives.ts';
import { fleetReport, fleetScreen, forecastLines } from '../../report/fleet.ts';
import { fleetHtml } from '../../report/fleet-html.ts';
import { fleetTarget, standbyTarget } from '../../runbooks/fleet.ts';

/** Whose turn it is, and who will be late: by rule, and against a simulation that knows nothing of the rule's code. */

const START_MS = Date.parse('2026-11-24T03:00:00.000Z');
const START = new Date(START_MS).toISOString();
const LIMITS: FleetLimits = { all: 2, perSite: 100, perRepository: 100, perWorker: 100 };

function member(deployment: string, priority = 1, more: Partial<FleetMember> = {}): FleetMember {
  const tier = TIERS[priority - 1]!;
  return {
    ...{ deployment, run: `rec-${deployment}`, tier, priority, basisAt: START, to: 'dr', state: 'queued' },
    ...{ rtoMs: TIER_DEFAULTS[tier].rtoMs, workers: ['w1'], repository: 'r1', askedAt: START },
    expectedMs: 60_000,
    ...more,
  };
}

function record(members: FleetMember[], more: Partial<FleetRecord> = {}): FleetRecord {
  return {
    ...{ format: 'tyk-dr/fleet/v1', site: 'primary', runbook: 'recover', scenario: 'regional' },
    ...{ actor: 'ann', reason: 'flood', declaredAt: START, startedAt: START, limits: LIMITS },
    ...{ coming: {}, notTaken: [], allHere: true, members },
    ...more,
  };
}

const names = (members: readonly FleetMember[]): string[] => members.map(({ deployment }) => deployment);

describe('the next turns', () => {
  test('are by tier, then by whose objective is used up first, then by who asked first', () => {
    const all = [
      member('c', 3),
      member('b2', 2),
      member('b1', 2, { rtoMs: 60_000 }),
      member('a', 1),
      member('b3', 2),
    ];
    expect(names(nextTurns(record(all, { limits: { ...LIMITS, all: 4 } })))).toEqual(['a', 'b1', 'b2', 'b3']);
  });

  test('wait for a more urgent one that is still on its way, until it has had its time', () => {
    const early = record([member('b', 2)], { coming: { 1: 1, 2: 1 }, allHere: false });
    expect(nextTurns(early)).toEqual([]);
    expect(names(nextTurns({ ...early, allHere: true }))).toEqual(['b']);
    const both = { ...early, members: [member('b', 2), member('a', 1)] };
    expect(names(nextTurns(both))).toEqual(['a', 'b']);
  });

  test('pass by one whose own worker is busy, and count one that waits for a person for nothing', () => {
    const limits = { ...LIMITS, perWorker: 1 };
    const busy = member('busy', 1, { state: 'running', startedAt: START });
    const other = member('other', 4, { workers: ['w2'] });
    expect(names(nextTurns(record([busy, member('next'), other], { limits })))).toEqual(['other']);
    const waits = { ...busy, state: 'person' as const };
    expect(names(nextTurns(record([waits, member('next'), other], { limits })))).toEqual(['next', 'other']);
  });

  test('never break a limit, leave nobody waiting who could go, and let nobody past who keeps another back', () => {
    fc.assert(
      fc.property(anyMembers, anyLimits, (members, limits) => {
        const turns = new Set(nextTurns(record(members, { limits })));
        const going = members.filter((each) => each.state === 'running' || turns.has(each));
        const taken = (name: string, among: readonly FleetMember[]): number =>
          among.filter((each) => limitsOn(each, limits).some(([own]) => own === name)).length;
        const fits = (each: FleetMember, among: readonly FleetMember[]): boolean =>
          among.length < limits.all &&
          limitsOn(each, limits).every(([name, limit]) => taken(name, among) < limit);
        for (const turn of turns)
          expect(
            fits(
              turn,
              going.filter((each) => each !== turn),
            ),
          ).toBe(true);
        for (const waiting of members.filter((each) => each.state === 'queued' && !turns.has(each))) {
          // Not even with those away that are less urgent.
          const before = going.filter((each) => !turns.has(each) || each.priority <= waiting.priority);
          expect(fits(waiting, before)).toBe(false);
        }
      }),
    );
  });
});

const anyLimits: fc.Arbitrary<FleetLimits> = fc.record({
  all: fc.integer({ min: 1, max: 5 }),
  perSite: fc.integer({ min: 1, max: 5 }),
  perRepository: fc.integer({ min: 1, max: 3 }),
  perWorker: fc.integer({ min: 1, max: 3 }),
});

const anyMembers: fc.Arbitrary<FleetMember[]> = fc
  .array(
    fc.record({
      priority: fc.integer({ min: 1, max: 4 }),
      worker: fc.constantFrom('w1', 'w2', 'w3'),
      repository: fc.constantFrom('r1', 'r2'),
      seconds: fc.integer({ min: 1, max: 20 }),
    }),
    { maxLength: 14 },
  )
  .map((all) =>
    all.map(({ priority, worker, repository, seconds }, index) =>
      member(`d${index}`, priority, { workers: [worker], repository, expectedMs: seconds * 1000 }),
    ),
  );

/** Second by second: whoever has done its time goes, and then the best that fits, one after the other. */
function secondBySecond(members: readonly FleetMember[], limits: FleetLimits): Map<string, number> {
  const left = new Map<FleetMember, number>();
  const ends = new Map<string, number>();
  const started = new Set<FleetMember>();
  for (let second = 0; ends.size < members.length; second += 1) {
    for (const [each, seconds] of [...left]) {
      left.set(each, seconds - 1);
      if (seconds > 1) continue;
      ends.set(each.deployment, second);
      left.delete(each);
    }
    for (;;) {
      const now = [...left.keys()];
      const among = (fits: (other: FleetMember) => boolean): number => now.filter(fits).length;
      const able = members.filter(
        (each) =>
          !started.has(each) &&
          now.length < limits.all &&
          among((other) => other.to === each.to) < limits.perSite &&
          among((other) => other.repository === each.repository) < limits.perRepository &&
          among((other) => other.workers[0] === each.workers[0]) < limits.perWorker,
      );
      const best = able.sort((a, b) => a.priority - b.priority)[0];
      if (!best) break;
      started.add(best);
      left.set(best, best.expectedMs! / 1000);
    }
  }
  return ends;
}

describe('the forecast of a fleet', () => {
  test('is what a simulation second by second finds', () => {
    fc.assert(
      fc.property(anyMembers, anyLimits, (members, limits) => {
        // Within a tier by the objective: here all of a tier have the same.
        const outlooks = fleetForecast(record(members, { limits }), START_MS);
        const found = new Map(
          [...outlooks].map(([name, { expectedAtMs }]) => [name, (expectedAtMs! - START_MS) / 1000]),
        );
        expect(found).toEqual(secondBySecond(members, limits));
      }),
    );
  });

  test('says who breaches, and assumes of the unknown ones no more than that they hold a place', () => {
    const limits = { ...LIMITS, all: 1 };
    const { expectedMs: _none, ...unknown } = member('unknown', 1, { rtoMs: 1 });
    const members = [
      { ...unknown, rtoMs: 900_000 },
      member('late', 2, { rtoMs: 60_000 }),
      member('in-time', 3),
    ];
    const found = fleetForecast(record(members, { limits }), START_MS);
    expect(found.get('unknown')).toEqual({ verdict: 'no forecast', deadlineMs: START_MS + 900_000 });
    expect(found.get('late')).toMatchObject({ verdict: 'will breach', expectedAtMs: START_MS + 120_000 });
    expect(found.get('in-time')).toMatchObject({ verdict: 'in time', expectedAtMs: START_MS + 180_000 });
    const nobodyKnows = fleetForecast(record([unknown], { limits }), START_MS);
    expect(nobodyKnows.get('unknown')?.expectedAtMs).toBeUndefined();
  });

  test('takes what runs from its start, and is not done before now', () => {
    const running = member('a', 1, { state: 'running', startedAt: START });
    const found = fleetForecast(
      record([running, member('b')], { limits: { ...LIMITS, all: 1 } }),
      START_MS + 90_000,
    );
    expect(found.get('a')?.expectedAtMs).toBe(START_MS + 90_000);
    expect(found.get('b')?.expectedAtMs).toBe(START_MS + 150_000);
  });

  test('of a thousand is made while somebody looks at a screen', () => {
    const members = Array.from({ length: 1_000 }, (_, index) =>
      member(`d${index}`, (index % 4) + 1, { workers: [`w${index % 16}`], expectedMs: 1_000 + index }),
    );
    const began = performance.now();
    fleetForecast(
      record(members, { limits: { all: 64, perSite: 64, perRepository: 64, perWorker: 4 } }),
      START_MS,
    );
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('a fleet', () => {
  const ended = (name: string, ending: Ending): FleetMember =>
    member(name, 1, { state: 'ended', startedAt: START, endedAt: START, ending });

  test.each<[string, Ending['outcome'][], FleetRecord['notTaken'], string]>([
    ['all recovered', ['RECOVERED', 'RECOVERED'], [], 'recovered'],
    ['one with exceptions', ['RECOVERED', 'RECOVERED_WITH_EXCEPTIONS'], [], 'exceptions'],
    ['one refused by its run', ['RECOVERED', 'REFUSED'], [], 'failed'],
    ['one not begun', ['NOT_STARTED', 'RECOVERED_WITH_EXCEPTIONS'], [], 'failed'],
    ['one stuck', ['STUCK', 'ABORTED'], [], 'stuck'],
    ['one not taken in', ['RECOVERED'], [notTaken('refused')], 'failed'],
    ['one that it does not concern', ['RECOVERED'], [notTaken('left-out')], 'recovered'],
  ])('ends as its worst: %s', (_what, outcomes, left, expected) => {
    const members = outcomes.map((outcome, index) => ended(`d${index}`, { outcome }));
    expect(fleetClass({ members, notTaken: left })).toBe(expected);
  });

  function notTaken(kind: FleetRecord['notTaken'][number]['kind']) {
    return { deployment: 'x', tier: 'critical' as const, kind, why: 'so' };
  }

  test('knows its turns by their names alone', () => {
    expect(fleetOfTurn(turnId('primary', 'acme'))).toBe('fleet/primary');
    for (const other of [undefined, 'run/acme', 'fleet/primary', 'x/fleet/primary/acme'])
      expect(fleetOfTurn(other)).toBeUndefined();
  });

  test('shows on a screen what a person must do first, in as many lines as there are', () => {
    const members = [
      ...Array.from({ length: 30 }, (_, index) => member(`q${index}`, 3)),
      member('asks', 4, { state: 'person', startedAt: START, waitsFor: 'start-redis: retry or abort' }),
    ];
    const lines = fleetScreen(record(members, { notTaken: [notTaken('locked')] }), START_MS, 12);
    expect(lines.length).toBeLessThanOrEqual(12);
    expect(lines[0]).toContain('0 of 31 recovered, 0 running, 1 wait for a person, 30 queued');
    expect(lines[2]).toMatch(/asks .*WAITING .*! start-redis: retry or abort/);
    expect(lines.join('\n')).toMatch(/and \d+ more/);
    expect(lines.at(-1)).toContain('1 locked');
  });

  test('is reported with what each achieved, what each waited, and why others were not taken', () => {
    const late = { ...ended('late', { outcome: 'RECOVERED', achievedRtoMs: 3_600_000 }), askedAt: START };
    const refused = ended('no', { outcome: 'REFUSED', error: 'port 6379 is taken' });
    const text = fleetReport(
      record([late, refused], { endedAt: START, notTaken: [notTaken('left-out')] }),
      START_MS,
    );
    expect(text).toMatch(/late .*RECOVERED .*1 h 00 min .*15 min 00 s .*missed/);
    expect(text).toMatch(/no .*REFUSED .*not reached .*port 6379 is taken/);
    expect(text).toContain('left out: x: so');
  });

  test('is forecast with who will be too late, and of whom nothing is known', () => {
    const { expectedMs: _none, ...unknown } = member('unknown');
    const lines = forecastLines(record([member('late', 1, { rtoMs: 1_000 }), unknown]), START_MS);
    expect(lines.join('\n')).toMatch(/last of 1 deployments is verified about 03:01 UTC, in 1 min 00 s/);
    expect(lines.join('\n')).toMatch(/1 too late for their RTO: late/);
    expect(lines.join('\n')).toMatch(/not measured of 1: unknown/);
    expect(forecastLines(record([unknown]), START_MS)[0]).toBe('forecast: not measured');
  });
});

describe('the loss of a site', () => {
  const sites = (...all: string[]) =>
    Object.fromEntries(all.map((name) => [name, { worker: name, gatewayWorkers: [], provisions: false }]));

  test.each([
    [['primary', 'dr'], undefined, { to: 'dr' }],
    [['primary', 'dr', 'lab'], undefined, { to: 'dr' }],
    [['primary', 'dr', 'third'], 'third', { to: 'third' }],
    [
      ['primary', 'dr', 'third'],
      undefined,
      { why: expect.stringContaining('several other sites') as string },
    ],
    [['primary', 'lab'], undefined, { why: 'it has no other site than primary' }],
    [['dr', 'third'], undefined, { why: 'it has no site primary' }],
    [['primary', 'dr'], 'third', { why: 'it has no site third' }],
  ])('of a deployment on %j, to %s', (names_, to, expected) => {
    const drill = { site: 'lab', limitMs: 1 };
    expect(fleetTarget({ sites: sites(...names_), drill }, 'primary', to)).toEqual(expected);
  });

  interface Known {
    readonly limit?: string;
    readonly monitorTo?: string;
    readonly marked?: readonly string[];
  }
  test.each<[string[], Known, object]>([
    [['primary', 'dr', 'lab'], {}, { to: 'dr' }],
    [['primary', 'dr', 'third'], { monitorTo: 'third' }, { to: 'third' }],
    // After a failover what the monitor goes to is the site that was lost.
    [['primary', 'dr', 'third'], { monitorTo: 'primary', marked: ['dr'] }, { to: 'dr' }],
    [['primary', 'dr', 'third'], { marked: ['third'] }, { to: 'third' }],
    [['primary', 'dr', 'third'], { marked: ['dr', 'third'], limit: 'dr' }, { to: 'dr' }],
    [
      ['primary', 'dr', 'third'],
      { marked: ['dr', 'third'] },
      { kind: 'refused', why: 'dr and third both follow primary: --to says which' },
    ],
    [
      ['primary', 'dr', 'third'],
      { marked: [] },
      { kind: 'refused', why: 'no worker of dr and third says that its site follows primary' },
    ],
    [
      ['primary', 'dr', 'third'],
      { monitorTo: 'third', limit: 'dr' },
      { kind: 'left-out', why: 'its standby is at third, not at dr' },
    ],
    [['primary', 'lab'], {}, { kind: 'left-out', why: 'it has no other site than primary' }],
    [['dr', 'third'], {}, { kind: 'left-out', why: 'it has no site primary' }],
    [['primary', 'dr'], { limit: 'third' }, { kind: 'left-out', why: 'it has no site third' }],
  ])('of a deployment with a standby on %j, where %j is known', async (names_, known, expected) => {
    const drill = { site: 'lab', limitMs: 1 };
    const { limit, monitorTo, marked } = known;
    const ask = (): Promise<readonly string[]> =>
      marked ? Promise.resolve(marked) : Promise.reject(new Error('nobody had to be asked'));
    expect(await standbyTarget({ sites: sites(...names_), drill }, 'primary', limit, monitorTo, ask)).toEqual(
      expected,
    );
  });
});

describe('the page of a fleet', () => {
  const at = (second: number): string => new Date(START_MS + second * 1000).toISOString();
  const done = (name: string, priority: number, seconds: number, more: object = {}): FleetMember =>
    member(name, priority, {
      ...{ state: 'ended', startedAt: at(5), endedAt: at(seconds), rpoMs: 5_000 },
      ending: {
        outcome: 'RECOVERED',
        achievedRtoMs: seconds * 1000,
        lost: { minMs: 0, maxMs: 1_000 },
        ...more,
      },
    });
  const attack = '<img src=x onerror=alert(1)>';

  test('says who breaches, what was lost, what a person must do, and links to what lies beside it', () => {
    const members = [
      done('pears', 1, 30),
      done('late', 1, 60 * 60, { lost: { minMs: 6_000, maxMs: 8_000 } }),
      done('lost', 2, 90, { outcome: 'STUCK', error: attack, achievedRtoMs: undefined, lost: undefined }),
      member('asks', 1, { state: 'person', startedAt: at(5), waitsFor: `retry ${attack}` }),
      member('queued', 4, { rtoMs: 1_000 }),
    ];
    const reports = new Map([['rec-pears', 'rec-pears.html']]);
    const more = {
      reason: attack,
      notTaken: [{ deployment: 'x', tier: 'standard', kind: 'locked', why: attack }],
    } as const;
    const html = fleetHtml({ record: record(members, more), nowMs: START_MS + 120_000, reports });
    expect(html).not.toMatch(/<img|<script|https?:\/\//);
    expect(html).toContain('<a href="rec-pears.html">rec-pears</a>');
    expect(html).toContain('<small>rec-late</small>');
    const text = html
      .replaceAll(/<style>.*?<\/style>/gs, '')
      .replaceAll(/<[^>]*>/g, '\n')
      .replaceAll(/\n+/g, '\n');
    expect(text).toMatch(/Recovered\n2 of 5\n/);
    expect(text).toMatch(/RTO\n3 late\n/);
    expect(text).toMatch(/Data lost\nat most 8\.0 s\nmeasured of 2 of 5/);
    expect(text).toMatch(/For people\n3\n1 wait for a decision, 2 not recovered/);
    expect(text).toMatch(/Waiting for a person\n(?:.*\n){4}asks\n/);
    expect(text).toMatch(/Too late for their RTO\n(?:.*\n){5}late\ncritical\n/);
    expect(html).toMatch(/<td class="bad">6\.0 s to 8\.0 s<small>of 5\.0 s<\/small>/);
  });

  test('of a fleet of an earlier version says nothing that it does not know', () => {
    const { rpoMs: _rpo, ...old } = done('old', 1, 30, { lost: undefined });
    const html = fleetHtml({ record: record([old], { endedAt: at(40) }), nowMs: START_MS });
    expect(html).toContain('<header class="good">');
    expect(html).toMatch(/<td>not measured<small><\/small><\/td>/);
  });
});
