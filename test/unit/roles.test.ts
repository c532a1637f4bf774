import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { configDigest } from '../../adapters/config/digest.ts';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import type { Deployment } from '../../domain/config.ts';
import { parseParticipants, practisedIn } from '../../domain/participants.ts';
import type { DrillRecord } from '../../domain/drill.ts';

/** Roles: who has them, who stands in, and what a wrong one is told. */

const ROLES = {
  commander: { people: ['Ann Example'], deputies: ['Bob Example'] },
};

function withRoles(roles: object): Deployment {
  const config = parse(EXAMPLE) as { deployments: { payments: object } };
  Object.assign(config.deployments.payments, { roles });
  return parseConfig(stringify(config), 'tyk-dr.yaml').deployments['payments']!;
}

describe('roles in the configuration', () => {
  test('have an interval of half a year and two people who practise, where nothing is said', () => {
    expect(withRoles(ROLES).roles['commander']).toMatchObject({
      ...{ trainEvery: 180 * 86_400_000, practised: 2, deputies: ['Bob Example'] },
    });
  });

  test.each([
    [{ people: ['Ann Exmaple'], deputies: ['Bob Example'] }, /'Ann Exmaple' is neither under contacts nor/],
    [{ people: ['Ann Example'], deputies: ['ann example'] }, /'ann example' again/],
    [{ people: ['Ann Example'] }, /practised: 2, and the role has 1 of people and deputies/],
    [{ people: [] }, /at least one person/],
    [{ people: ['Ann Example'], practised: 0 }, /practised/],
    [{ people: ['Ann Example'], trainEvery: 'often' }, /trainEvery/],
  ])('%j is refused', (role, why) => {
    expect(() => withRoles({ commander: role })).toThrow(why);
  });

  test('are no reason for a worker to refuse a run', () => {
    expect(configDigest(withRoles(ROLES))).toBe(configDigest(withRoles({})));
  });
});

describe('participants', () => {
  test('are the configured people where nobody is named; a deputy is told apart', () => {
    expect(parseParticipants(ROLES, [])).toEqual([{ role: 'commander', person: 'Ann Example' }]);
    expect(parseParticipants(ROLES, ['commander=bob example'])).toEqual([
      { role: 'commander', person: 'Bob Example', deputy: true },
    ]);
  });

  test.each([
    ['commander', /ROLE=PERSON/],
    ['captain=Ann Example', /'captain'.*a role: commander/s],
    ['commander=Eve', /somebody of this role: Ann Example; deputies Bob Example/],
    ['__proto__=Eve', /a role: commander/],
  ])('%s is refused, with those that there are', (value, why) => {
    expect(() => parseParticipants(ROLES, [value])).toThrow(why);
  });

  test('a drill that a schedule has started trains nobody of whom nobody says that they were there', () => {
    const participants = parseParticipants(ROLES, []);
    const drill = { participants } as unknown as DrillRecord;
    const scheduled = { schedule: 'component', dueAt: '2026-01-01T00:00:00.000Z' };
    expect(practisedIn(drill)).toEqual(participants);
    expect(practisedIn({ ...drill, scheduled })).toEqual([]);
    expect(practisedIn({ ...drill, scheduled, present: participants })).toEqual(participants);
  });
});
