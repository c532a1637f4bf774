import { failed, transient, type ErrorEntry } from './error-kinds.ts';

/** Off-site copies and keys: the part of the error table about what lies elsewhere. */

export const COPY_ERRORS = {
  COPY_UNUSABLE: transient(
    (d) => `the off-site copy ${d.copy} cannot be used: ${d.reason}`,
    'Check that it answers, and that its options and secrets under backup.copies are right.',
  ),
  COPY_DAMAGED: transient(
    (d) => `${d.file} at the off-site copy ${d.copy} is not what was sent: ${d.reason}`,
    'It is sent again by the next attempt. Where that fails as well, the storage itself alters what it is given.',
  ),
  COPY_INCOMPLETE: failed(
    (d) => `set ${d.set} is complete in the repository, but not off-site: ${d.reason}`,
    'Mend the cause, then copy the set with tyk-dr backup copy: it goes on where this stopped.',
    (d) => `tyk-dr backup copy ${d.deployment} ${d.set}`,
  ),
  WAL_NOT_SHIPPED: failed(
    (d) => `new WAL of ${d.deployment} has not reached every off-site copy: ${d.reason}`,
    'Mend the cause: the next run of the schedule, or tyk-dr backup copy, sends what is missing.',
    (d) => `tyk-dr backup copy ${d.deployment}`,
  ),
  PRUNE_INCOMPLETE: failed(
    (d) => `the repository of ${d.deployment} was pruned, but not every off-site copy: ${d.reason}`,
    'Mend the cause and prune again: it finds what is left.',
    (d) => `tyk-dr backup prune ${d.deployment} --dry-run`,
  ),
  KEYS_FAIL: failed(
    (d) =>
      `${d.failed} of ${d.tests} decryptions fail; the first at ${d.place} with ${d.identity}: ${d.reason}`,
    'A set that no key opens is lost. Put the right identity in place, or make a new set for the recipients that there are.',
  ),
} as const satisfies Record<string, ErrorEntry>;
