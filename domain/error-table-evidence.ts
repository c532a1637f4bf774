import { failed, refused, usage, type ErrorEntry } from './error-kinds.ts';

/** Evidence packs and findings: the part of the error table about what auditors and reviewers are given. */

export const EVIDENCE_ERRORS = {
  EVIDENCE_DAMAGED: refused(
    (d) => `the evidence chain cannot be continued: ${d.file}: ${d.reason}`,
    'Bring the pack back from where a copy lies, and keep the one that differs: it is evidence too. A new pack behind a broken one would hide the break.',
  ),
  EVIDENCE_BROKEN: failed(
    (d) =>
      `the evidence is not what was signed: ${d.count} problem${d.count === 1 ? '' : 's'}; the first: ${d.first}`,
    'Keep what you were given. Compare it with the packs in the backup repository, and find out who changed it.',
  ),
  EVIDENCE_HOLDS_SECRET: refused(
    (d) => `no pack was made: ${d.member} holds the secret ${d.secret}`,
    'A signed file cannot be altered. Change the secret, and find out how it came there; a new backup set is free of it.',
  ),
  EVIDENCE_UNFINISHED: refused(
    (d) => `run ${d.run} has not ended`,
    'Evidence is of a run that has ended. Follow it to its end first.',
    (d) => `tyk-dr status ${d.run} --watch`,
  ),
  KEY_UNREADABLE: usage(
    (d) => `${d.key} is no public key: ${d.reason}`,
    'Give ed25519:BASE64 as under backup.trustedKeys, or a file with such lines or with a public key in PEM.',
  ),
  FINDING_UNKNOWN: usage(
    (d) => `no finding '${d.finding}' of ${d.deployment}`,
    'The ids are those of tyk-dr findings list.',
    (d) => `tyk-dr findings list ${d.deployment} --state all`,
  ),
  FINDING_NOT_PASSED: refused(
    (d) => `run ${d.run} does not close ${d.finding}: ${d.reason}`,
    'A finding is closed by a later run in which the same check passed. Until then it can be accepted, with a date and a reason.',
  ),
  FINDING_CLOSED: refused(
    (d) => `${d.finding} was closed by run ${d.run}`,
    'Nothing is left to decide about it. Where it comes again, it is a new finding that names this one.',
  ),
  IMPORT_REFUSED: usage(
    (d) => `nothing was imported from ${d.file}: ${d.reason}`,
    'Give the output of tyk-dr doctor --json, or a list of findings as docs/evidence.md has it.',
  ),
} as const satisfies Record<string, ErrorEntry>;
