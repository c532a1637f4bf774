import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { glance, voteOf, type Glance } from '../../domain/monitor-glance.ts';
import {
  advance,
  isToConfirm,
  newStanding,
  nextChangeMs,
  type SiteStanding,
} from '../../domain/monitor-standing.ts';
import type { MonitorRules, Voice } from '../../domain/monitor.ts';
import { DEAD, viewOf, type Sight } from '../harness/monitor-views.ts';

const RULES: MonitorRules = {
  ...{ quorum: 2, failAfterMs: 30_000, recoverAfterMs: 20_000 },
  flapping: { changes: 3, withinMs: 600_000 },
};
const SECOND = 1_000;

const voice = (observer: string, sight?: Sight): Voice => ({
  observer,
  ...(sight ? { view: viewOf(observer, sight) } : {}),
});
const levelOf = (...voices: Voice[]): Glance['level'] => glance(voices, RULES).level;

describe('what all see at one moment', () => {
  test('a site is down when a quorum says so, and not before', () => {
    expect(levelOf(voice('a', DEAD), voice('b', DEAD), voice('c'))).toBe('down');
    expect(levelOf(voice('a', DEAD), voice('b', {}), voice('c', {}))).toBe('suspect');
    expect(levelOf(voice('a', {}), voice('b', {}))).toBe('healthy');
  });

  test('whoever reaches nothing suspects itself, and is told of', () => {
    const seen = glance([voice('a', { ...DEAD, sighted: false }), voice('b', {}), voice('c', {})], RULES);
    expect(seen).toMatchObject({ level: 'degraded', dead: [] });
    expect(seen.reasons.join()).toContain('a reaches nothing and does not count');
  });

  test('where clients are served, nothing that is broken fails the site', () => {
    const broken = { redis: 'down', dashboard: 'down', gateway: 'down', own: true } as const;
    expect(levelOf(voice('a', broken), voice('b', broken))).toBe('degraded');
  });

  test('but where another site serves them too, a quorum that finds nothing of this one alive calls it down', () => {
    const gone: Sight = { ...DEAD, outside: 'up' };
    const shared = { quorum: 2, shared: true } as const;
    const seenBy = (...sights: Sight[]) =>
      glance(
        sights.map((sight, index) => ({ observer: `o${index}`, view: viewOf(`o${index}`, sight) })),
        shared,
      );
    expect(seenBy({ ...gone, own: true }, gone)).toMatchObject({ level: 'down' });
    expect(seenBy(gone, gone).reasons[0]).toBe(
      'o0 and o1 see nothing of it alive; another site serves the clients',
    );
    // From the other site only the stream to its standby may be within reach.
    expect(seenBy({ ...gone, own: true }, { gateway: 'unseen', redis: 'down' }).level).toBe('down');
    // One alone is none, and neither is one who is contradicted.
    expect(seenBy({ ...gone, own: true }, { gateway: 'unseen', redis: 'unseen' }).level).toBe('degraded');
    expect(seenBy(gone, gone, {}).level).not.toBe('down');
    // A store that is dead is a store that is dead.
    expect(seenBy({ redis: 'down' }, { redis: 'down' }).level).toBe('degraded');
    expect(seenBy({ gateway: 'down' }, { gateway: 'down' }).level).toBe('degraded');
  });

  test('a load balancer that died is no dead site: a Gateway answers, and only eyes that see none call it down', () => {
    const cannotSee = { outside: 'down', gateway: 'unseen' } as const;
    const here = { outside: 'down', gateway: 'up', own: true } as const;
    expect(levelOf(voice('a', here), voice('b', cannotSee), voice('c', cannotSee))).toBe('suspect');
    expect(levelOf(voice('a', here), voice('b', here))).toBe('suspect');
    // The site is cut off: it sees its own Gateway, and everybody else has looked for it in vain.
    expect(levelOf(voice('a', here), voice('b', DEAD), voice('c', DEAD))).toBe('down');
  });

  test('a Gateway without its Redis serves nobody, but is not dead itself', () => {
    const ailing = { outside: 'down', gateway: 'ailing', redis: 'down', own: true } as const;
    const seen = glance([voice('a', ailing), voice('b', { ...ailing, own: false })], RULES);
    expect(seen.level).toBe('down');
    expect(seen.dead.map(({ component }) => component)).toEqual(['redis']);
  });

  test('the word of its own host counts about a component; without it a quorum that agrees', () => {
    const elsewhere = { redis: 'down' } as const;
    const dead = (...voices: Voice[]) => glance(voices, RULES).dead.map(({ component }) => component);
    expect(dead(voice('a', { own: true }), voice('b', elsewhere), voice('c', elsewhere))).toEqual([]);
    expect(dead(voice('b', elsewhere), voice('c', elsewhere))).toEqual(['redis']);
    expect(dead(voice('b', elsewhere), voice('c', {}))).toEqual([]);
  });

  test('without a clients’ address the Gateways tell', () => {
    expect(voteOf(viewOf('a', { outside: 'unseen' }))).toBe('served');
    expect(voteOf(viewOf('a', { ...DEAD, outside: 'unseen' }))).toBe('down');
    expect(voteOf(viewOf('a', { outside: 'unseen', gateway: 'unseen' }))).toBe('nothing');
  });
});

const seenDown = glance([voice('a', DEAD), voice('b', DEAD)], RULES);
const seenWell = glance([voice('a', {}), voice('b', {})], RULES);

function play(steps: readonly [atMs: number, seen: Glance, confirmed?: boolean][]): SiteStanding[] {
  let standing = newStanding(0, 'new');
  return steps.map(([at, seen, confirmed]) => (standing = advance(standing, seen, at, RULES, confirmed)));
}

describe('over time', () => {
  test('failed only after the whole duration, and only when it was looked at once more', () => {
    const [first, , due, failed] = play([
      [0, seenDown],
      [29 * SECOND, seenDown, true],
      [30 * SECOND, seenDown],
      [30 * SECOND, seenDown, true],
    ]);
    expect(first).toMatchObject({ state: 'suspect', downSince: new Date(0).toISOString() });
    expect(nextChangeMs(first!, RULES, true)).toBe(30 * SECOND);
    expect(due!.state).toBe('suspect');
    expect(isToConfirm(due!, 30 * SECOND, RULES)).toBe(true);
    expect(failed!.state).toBe('failed');
  });

  test('one look at which it serves, and the duration begins anew', () => {
    const [, , again, last] = play([
      [0, seenDown],
      [29 * SECOND, seenWell],
      [31 * SECOND, seenDown],
      [60 * SECOND, seenDown, true],
    ]);
    expect(again!.downSince).toBe(new Date(31 * SECOND).toISOString());
    expect(last!.state).toBe('suspect');
  });

  test('better only after it has been better for long enough', () => {
    const states = play([
      [0, seenDown],
      [1 * SECOND, seenWell],
      [20 * SECOND, seenWell],
      [21 * SECOND, seenWell],
    ]).map(({ state }) => state);
    expect(states).toEqual(['suspect', 'suspect', 'suspect', 'healthy']);
  });

  test('what flaps stays at its worse state until it was calm for the whole time', () => {
    const turns = [0, 1, 2].flatMap((turn): [number, Glance][] => {
      const at = turn * 60 * SECOND;
      return [
        [at, seenDown],
        [at + SECOND, seenWell],
        [at + 25 * SECOND, seenWell],
      ];
    });
    const calmFrom = 121 * SECOND;
    const played = play([...turns, [calmFrom + 400 * SECOND, seenWell], [calmFrom + 600 * SECOND, seenWell]]);
    expect(played[7]).toMatchObject({ state: 'suspect', flapping: true });
    expect(played[7]!.reasons.join()).toContain('flaps');
    expect(played.at(-2)!.state).toBe('suspect');
    expect(played.at(-1)!.state).toBe('healthy');
  });
});

const sights = fc.record<Sight>({
  outside: fc.constantFrom('up', 'down', 'unseen'),
  gateway: fc.constantFrom('up', 'ailing', 'down', 'unseen'),
  redis: fc.constantFrom('up', 'ailing', 'down', 'unseen'),
  sighted: fc.boolean(),
  own: fc.boolean(),
});
const well = (observer: string): Voice => voice(observer, {});

/** The worst state that a story of looks comes to, however often each of them is confirmed. */
function worst(looks: readonly (readonly Voice[])[], gapMs: number): string[] {
  let standing = newStanding(0, 'new');
  return looks.map((voices, index) => {
    standing = advance(standing, glance(voices, RULES), index * gapMs, RULES, true);
    return standing.state;
  });
}

describe('whatever is said', () => {
  test('one observer alone never makes a site fail, however long and whatever it says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(sights, fc.constantFrom('well', 'blind', 'silent')), { maxLength: 40 }),
        fc.integer({ min: 1, max: 120_000 }),
        (story, gapMs) => {
          const looks = story.map(([sight, others]) => [
            voice('liar', { ...sight, sighted: true }),
            ...(['b', 'c'] as const).map((name) =>
              others === 'well'
                ? well(name)
                : others === 'blind'
                  ? voice(name, { ...DEAD, sighted: false })
                  : voice(name),
            ),
          ]);
          expect(worst(looks, gapMs)).not.toContain('failed');
        },
      ),
    );
  });

  test('any number of blind observers never do', () => {
    fc.assert(
      fc.property(fc.array(fc.array(sights, { minLength: 2, maxLength: 5 }), { maxLength: 20 }), (story) => {
        const looks = story.map((all) =>
          all.map((sight, index) => voice(`o${index}`, { ...sight, sighted: false })),
        );
        expect(worst(looks, 60_000)).not.toContain('failed');
      }),
    );
  });

  test('failed means: at every look of the whole duration a quorum saw it down', () => {
    const mostlyDead = fc.oneof(
      { weight: 3, arbitrary: fc.constant(DEAD) },
      { weight: 1, arbitrary: sights },
    );
    let reached = 0;
    fc.assert(
      fc.property(
        fc.array(fc.array(mostlyDead, { minLength: 3, maxLength: 3 }), { maxLength: 30 }),
        (story) => {
          const looks = story.map((all) => all.map((sight, index) => voice(`o${index}`, sight)));
          const states = worst(looks, 10_000);
          const first = states.indexOf('failed');
          if (first < 0) return;
          reached += 1;
          for (const voices of looks.slice(Math.max(0, first - 3), first + 1)) {
            const votes = voices.map(({ view }) => voteOf(view!));
            expect(votes.filter((vote) => vote === 'down').length).toBeGreaterThanOrEqual(2);
          }
          expect(first).toBeGreaterThanOrEqual(3);
        },
      ),
    );
    expect(reached).toBeGreaterThan(20);
  });
});
