import { refused, type ErrorEntry } from './error-kinds.ts';

/** What is refused of several deployments at once: part of the error table. */

export const FLEET_ERRORS = {
  FLEET_RUNNING: {
    class: 'running',
    retryable: false,
    message: (d) => `the deployments that have lost ${d.site} are being recovered already`,
    hint: 'One fleet for a lost site at a time. Follow that one, or bring a further deployment into it with fleet add.',
    next: (d) => `tyk-dr fleet show ${d.site} --watch`,
  },
  FLEET_UNKNOWN: refused(
    (d) => `no fleet has been started for the site ${d.site}`,
    'Temporal keeps it for as long as its namespace says. Start one with recover --all.',
    (d) => `tyk-dr recover --all --site ${d.site} --reason "WHY"`,
  ),
  FLEET_ENDED: refused(
    (d) => `the fleet of the site ${d.site} has ended`,
    'Recover the deployment by itself, or those that are left with recover --all.',
  ),
  ALREADY_IN_FLEET: {
    class: 'running',
    retryable: false,
    message: (d) => `${d.deployment} is one of the fleet of ${d.site} already`,
    hint: 'It begins when its turn comes, or has begun.',
    next: (d) => `tyk-dr fleet show ${d.site}`,
  },
  FLEET_NOBODY: refused(
    (d) => `none of ${d.count} deployments can be recovered from the loss of ${d.site}:\n${d.reasons}`,
    'Mend what stands there, or recover one by itself to see more of it.',
    () => 'tyk-dr doctor',
  ),
} as const satisfies Record<string, ErrorEntry>;
