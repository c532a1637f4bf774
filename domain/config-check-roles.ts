import { samePerson } from './approvals.ts';
import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';

/** Roles of people whom nobody knows, of one person twice, and of too few ever to be practised. */
export function rolesAreSound({ roles, contacts, approvers = [] }: Deployment): ConfigProblem[] {
  const known = [...contacts, ...approvers].map(({ name }) => name);
  return Object.entries(roles).flatMap(([role, { people, deputies, practised }]): ConfigProblem[] => {
    const all = [
      ...people.map((person, index) => ({ person, path: ['roles', role, 'people', index] })),
      ...deputies.map((person, index) => ({ person, path: ['roles', role, 'deputies', index] })),
    ];
    return [
      ...all.flatMap(({ person, path }, index): ConfigProblem[] => {
        if (all.slice(0, index).some((other) => samePerson(other.person, person)))
          return [{ path, message: `'${person}' again; expected each person of a role once` }];
        if (known.length > 0 && !known.some((other) => samePerson(other, person)))
          return [
            {
              path,
              message: `'${person}' is neither under contacts nor under approvers; expected one of ${[...new Set(known)].join(', ')}`,
            },
          ];
        return [];
      }),
      ...(all.length < practised
        ? [
            {
              path: ['roles', role, 'practised'],
              message: `${practised}, and the role has ${all.length} of people and deputies; expected at least as many, or a smaller number`,
            },
          ]
        : []),
    ];
  });
}
