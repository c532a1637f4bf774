import { refused } from './error-kinds.ts';

/** What can be wrong with the git repository that keeps configuration; a part of the table of all errors. */

export const GIT_ERRORS = {
  GIT_UNREADABLE: refused(
    (d) => `the git repository ${d.repository} cannot be read: ${d.reason}`,
    'Make it reachable for the workers of the target, or recover without --config-ref: the set has its own configuration.',
  ),
  CONFIG_REF_UNKNOWN: refused(
    (d) => `the git repository ${d.repository} has no tag, branch or commit '${d.ref}'`,
    'The tag of a verified set is set/SET. See them with git tag.',
  ),
  CONFIG_REF_LACKS: refused(
    (d) => `${d.ref} (${d.commit}) has no ${d.file}`,
    'Choose a commit that holds every component which is recovered, or recover without --config-ref.',
  ),
  CONFIG_REF_SECRET: refused(
    (d) =>
      `${d.file} of ${d.ref} refers to secrets that neither the set nor the configuration has: ${d.references}`,
    'Choose the set of that commit with --backup, or write the value into the configuration of a newer commit by its reference.',
  ),
};
