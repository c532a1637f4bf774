import { samePerson } from './approvals.ts';
import type { DrillRecord, Participant } from './drill.ts';
import { DrError } from './errors.ts';

/** Who takes part in a drill, by role: what was planned, what was said, what counts as practice. Pure. */

/** As the configuration has it, without its intervals. */
export interface RolePeople {
  readonly people: readonly string[];
  readonly deputies: readonly string[];
}
export type Roles = Readonly<Record<string, RolePeople>>;

/** The people who have the roles. Deputies come where somebody says so. */
export function configuredParticipants(roles: Roles): Participant[] {
  return Object.entries(roles).flatMap(([role, { people }]) => people.map((person) => ({ role, person })));
}

/**
 * What was typed as `ROLE=PERSON`, again and again. Roles that nobody names are those of the configuration.
 *
 * @param argument for the error
 * @throws DrError BAD_ARGUMENT for a role or a person of whom the configuration does not know
 */
export function parseParticipants(
  roles: Roles,
  given: readonly string[],
  argument = '--participant',
): Participant[] {
  const said = given.map((value) => {
    const at = value.indexOf('=');
    if (at < 1)
      throw new DrError('BAD_ARGUMENT', {
        ...{ argument, value, expected: 'ROLE=PERSON, such as incident-commander=ann' },
      });
    return participantOf(roles, value.slice(0, at).trim(), value.slice(at + 1).trim(), argument);
  });
  const named = new Set(said.map(({ role }) => role));
  const unique = said.filter(
    ({ role, person }, index) =>
      said.findIndex((other) => other.role === role && other.person === person) === index,
  );
  return [...unique, ...configuredParticipants(roles).filter(({ role }) => !named.has(role))];
}

/** @throws DrError BAD_ARGUMENT */
export function participantOf(roles: Roles, role: string, person: string, argument: string): Participant {
  const own = Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (!own) {
    const known = Object.keys(roles).join(', ');
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument, value: role === '' ? 'nothing' : role },
      expected: known === '' ? 'roles under roles: of the deployment; it has none' : `a role: ${known}`,
    });
  }
  const found = own.people.find((each) => samePerson(each, person));
  if (found !== undefined) return { role, person: found };
  const deputy = own.deputies.find((each) => samePerson(each, person));
  if (deputy !== undefined) return { role, person: deputy, deputy: true };
  throw new DrError('BAD_ARGUMENT', {
    ...{ argument, value: `${role}=${person}` },
    expected: `somebody of this role: ${own.people.join(', ')}${own.deputies.length > 0 ? `; deputies ${own.deputies.join(', ')}` : ''}`,
  });
}

/**
 * Who has practised by a drill. Where a schedule has started it, nobody was there unless somebody has said so: a drill
 * at night trains nobody.
 */
export function practisedIn({ present, participants, scheduled }: DrillRecord): readonly Participant[] {
  return present ?? (scheduled ? [] : participants);
}
