import { refused, type ErrorEntry } from './error-kinds.ts';

/** How a person's decision about a run is refused. Part of the table in error-table.ts. */

export const DECISION_ERRORS = {
  DECISION_NOT_TAKEN: refused(
    (d) => `no worker on the task queue ${d.queue} has taken '${d.decision}' of ${d.to}`,
    'Start a worker of any site; then look whether the run still waits before you decide again.',
    (d) => `tyk-dr status ${d.run}`,
  ),
  NOTHING_TO_DECIDE: refused(
    (d) => `run ${d.run} is not waiting for '${d.decision}'; it is ${d.state}`,
    'See what it waits for with tyk-dr status.',
    (d) => `tyk-dr status ${d.run}`,
  ),
  ALREADY_DECIDED: refused(
    (d) =>
      `'${d.decision}' of ${d.run} comes too late: ${d.actor} decided ${d.kind} for ${d.step} at ${d.at} (${d.reason}); it is ${d.state}`,
    'Of two people the first counts. See what became of it with tyk-dr status.',
    (d) => `tyk-dr status ${d.run}`,
  ),
  CHOICE_NOT_OFFERED: refused(
    (d) => `'${d.decision}' is not offered for ${d.step} of ${d.run}; what is: ${d.choices}`,
    'Data and what clients depend on are not skipped; by hand is offered where a later step shows it; undo where there is an undo.',
    (d) => `tyk-dr status ${d.run}`,
  ),
  APPROVAL_REFUSED: refused(
    (d) => `the approval of ${d.step} by ${d.actor} does not count: ${d.reason}`,
    'It is in the record of the run. Who may approve stands under approvers in tyk-dr.yaml.',
    (d) => `tyk-dr status ${d.run}`,
  ),
  NO_SIGNING_KEY: refused(
    (d) => `no key at hand signs for ${d.actor}: ${d.reason}`,
    'Name the private key with --key FILE, or bring it to the agent with ssh-add.',
  ),
} as const satisfies Record<string, ErrorEntry>;
