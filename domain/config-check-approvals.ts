import { mayApprove, samePerson } from './approvals.ts';
import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';

/** Approvals that could never be given, or that one person could give twice. */
export function approvalsAreSound({ approvals = [], approvers = [] }: Deployment): ConfigProblem[] {
  return [
    ...approvals.flatMap(({ step, count, roles }, index): ConfigProblem[] => {
      const able = approvers.filter((who) => mayApprove(who, { roles }));
      return [
        ...(approvals.findIndex((other) => other.step === step) < index
          ? [{ path: ['approvals', index, 'step'], message: `'${step}' again; expected each step once` }]
          : []),
        ...(able.length < count
          ? [
              {
                path: ['approvals', index, 'count'],
                message: `${count} needed, and ${able.length} of the approvers may${roles.length > 0 ? ` (role ${roles.join(' or ')})` : ''}; expected at least as many under approvers, besides whoever starts the run`,
              },
            ]
          : []),
      ];
    }),
    ...approvers.flatMap(({ name, key }, index): ConfigProblem[] => {
      const others = approvers.slice(0, index);
      const twin = key && others.find((other) => other.key && body(other.key) === body(key));
      return [
        ...(others.some((other) => samePerson(other.name, name))
          ? [{ path: ['approvers', index, 'name'], message: `'${name}' again; expected each person once` }]
          : []),
        ...(twin
          ? [
              {
                path: ['approvers', index, 'key'],
                message: `the key of ${twin.name}; expected one of their own for everybody`,
              },
            ]
          : []),
        ...(key === undefined && approvers.some((other) => other.key !== undefined)
          ? [
              {
                path: ['approvers', index, 'key'],
                message: `missing; expected a key for every approver, or for none: a name without one could be typed by anybody`,
              },
            ]
          : []),
      ];
    }),
  ];
}

/** Without the type and the comment. */
const body = (key: string): string => key.split(' ')[1]!;
