import { COPY_ERRORS } from './error-table-copies.ts';
import { EVIDENCE_ERRORS } from './error-table-evidence.ts';
import { FLEET_ERRORS } from './error-table-fleet.ts';
import { DRILL_ERRORS } from './error-table-drill.ts';
import { REPLICATION_ERRORS } from './error-table-replication.ts';
import { DECISION_ERRORS } from './decision-errors.ts';
import { failed, isGiven, refused, transient, usage, type ErrorEntry } from './error-kinds.ts';
import { GIT_ERRORS } from './git-errors.ts';
import { shown } from './plain-text.ts';
import { SNAPSHOT_ERRORS } from './snapshot-errors.ts';
import { STORE_ERRORS } from './store-errors.ts';
import { WATCH_ERRORS } from './error-table-watch.ts';
import { TEMPORAL_ERRORS } from './error-table-temporal.ts';

/**
 * Every way in which tyk-dr refuses or fails, as one table. The CLI's exit codes, the retry policy of activities
 * and the page `docs/generated/errors.md` all come from here. Messages are lower case and without a full stop;
 * hints are sentences.
 */

export const ERRORS = {
  // Usage and configuration
  CONFIG_NOT_FOUND: usage(
    (d) => `no configuration at ${d.path}`,
    'Name the file with --config or TYK_DR_CONFIG, or write one.',
    () => 'tyk-dr init',
  ),
  CONFIG_INVALID: usage(
    (d) => `${d.path} has ${d.count} error${d.count === 1 ? '' : 's'}:\n${d.problems}`,
    'Each line names the place, the value and what was expected.',
    (d) => `tyk-dr config check ${d.path}`,
  ),
  ...WATCH_ERRORS,
  UNKNOWN_DEPLOYMENT: usage(
    (d) => `no deployment '${d.deployment}' in the configuration; it declares ${d.known}`,
    'Use one of the names under deployments:.',
  ),
  UNKNOWN_SITE: usage(
    (d) => `deployment ${d.deployment} has no site '${d.site}'; it declares ${d.known}`,
    'Use one of the names under sites:.',
  ),
  BAD_ARGUMENT: usage(
    (d) => `${d.argument} is '${shown(d.value)}'; expected ${d.expected}`,
    'See --help of the command.',
  ),
  SECRET_MISSING: refused(
    (d) => `the secret ${d.reference} cannot be read: ${d.reason}`,
    'Set the environment variable for the worker, make the file readable to its user only, or run the command by hand as that user.',
  ),

  // Temporal and workers
  TEMPORAL_UNREACHABLE: refused(
    (d) => `no Temporal server answers at ${d.address}${d.reason === undefined ? '' : `: ${d.reason}`}`,
    'Start one with temporal server start-dev, or set TEMPORAL_ADDRESS, or mend temporal: in tyk-dr.yaml.',
    () => 'temporal server start-dev --db-filename temporal.db',
  ),
  WORKER_MISSING: refused(
    (d) => `no worker answers on the task queue ${d.queue}`,
    'Start it on its host, and leave it running.',
    (d) => `tyk-dr worker ${d.worker}`,
  ),
  ...TEMPORAL_ERRORS,
  CONFIG_DRIFT: refused(
    (d) => `the worker ${d.worker} has another configuration (${d.actual}) than the plan (${d.expected})`,
    'Give every worker the same deployment section and start it again.',
  ),
  EXPIRED: refused(
    (d) => `step ${d.step} was to start before ${d.notAfter} and is refused at ${d.now}`,
    'The task waited for a dead worker. Decide again with tyk-dr retry.',
  ),
  SUPERSEDED: refused(
    (d) => `epoch ${d.epoch} is no longer in command of ${d.target}: epoch ${d.current} is`,
    'A newer run owns this target. This one must not touch it.',
  ),
  ALREADY_RUNNING: {
    class: 'running',
    retryable: false,
    message: (d) => `${d.workflowId} is already running: ${d.what}`,
    hint: 'One run per deployment at a time. Follow that one.',
    next: (d) => `tyk-dr status ${d.run} --watch`,
  },
  ALREADY_BACKING_UP: {
    class: 'running',
    retryable: false,
    message: (d) => `a ${d.kind} of ${d.deployment} is already under way: ${d.run}`,
    hint: 'Backup sets of a deployment are made, verified and deleted one at a time. Follow that one.',
    next: (d) => `tyk-dr backup watch ${d.deployment}${isGiven(d, 'only') ? ` --only ${d.only}` : ''}`,
  },
  ...FLEET_ERRORS,
  RUN_CUT_OFF: {
    class: 'stuck',
    retryable: false,
    message: (d) => `${d.run} was ${d.how} in Temporal before its end`,
    hint: 'Nothing was undone. Look at what it had done in the Temporal UI, then begin a new run: it finds what is there.',
  },
  WORKER_LOST: failed(
    (d) => `the worker of ${d.queue} was lost during ${d.step}`,
    'Look at its log, start it again and repeat the command.',
  ),
  UNKNOWN_RUN: usage(
    (d) => `no run '${d.run}'`,
    'A run id looks like rec-20261124-031500-1f2e.',
    () => 'tyk-dr history',
  ),
  LOG_REFUSED: refused(
    (d) => `${d.file} is not taken into the history: ${d.reason}`,
    'Take the log that the script kept in the repository, unchanged and whole; an unfinished run is finished, or given up, by its script first.',
  ),
  ...DECISION_ERRORS,

  // Tools and hosts
  TOOL_MISSING: refused(
    (d) => `${d.tool} is not installed on ${d.host}`,
    'Install the package that provides it and try again.',
  ),
  TOOL_VERSION: refused(
    (d) => `${d.tool} is version ${d.actual}; expected ${d.expected}`,
    'Install the version that the backup was made with.',
  ),
  TOOL_FAILED: transient(
    (d) => `${d.tool} ended with ${d.exit}: ${d.output}`,
    'The last lines of the tool say why.',
  ),
  DISK_TOO_SMALL: refused(
    (d) => `${d.path} has ${d.freeBytes} bytes free; ${d.neededBytes} are needed`,
    'Old and restored data stand side by side until close-out. Free space or enlarge the disk.',
  ),
  DISK_FAILED: failed(
    (d) => `${d.path} cannot be written: ${d.reason}`,
    'Free space, or mount it and mend its permissions, then try again: what was half written is removed.',
  ),
  OTHER_SITE_SERVES: refused(
    (d) => `site ${d.other} runs its ${d.services}: two sites must never both write`,
    'Recover with --from that site, which fences it first; or stop it, if it must not serve.',
  ),
  SITE_GIVEN_UP: refused(
    (d) => `site ${d.site} was given up by ${d.by}: another site may serve in its place`,
    'Recover to it with --from the site that serves now, which is fenced first.',
  ),
  PORT_TAKEN: refused(
    (d) => `port ${d.port} of ${d.component} on ${d.site} is taken by another process`,
    'Stop what listens there, or correct the port in the configuration.',
  ),
  TARGET_SERVES: refused(
    (d) => `${d.component} of site ${d.site} is running: the site may be serving`,
    'Recover to a stopped site, or rebuild this one on purpose with --in-place.',
  ),
  TARGET_COLD: refused(
    (d) => `${d.component} of site ${d.site} is not to be restored, and ${d.reason}`,
    'This scenario starts stores that are alive as they are. Restore them from the backup with --scenario regional, or corruption where data are damaged.',
  ),
  TARGET_IS_ANOTHER: refused(
    (d) => `${d.path} belongs to ${d.actual}; expected ${d.expected}`,
    'The configuration points at the wrong place. Nothing was changed.',
  ),
  MOUNT_POINT: refused(
    (d) => `${d.path} is a mount point and cannot be replaced by a rename`,
    'Put the data directory one level below the mount point.',
  ),
  TARGET_BUSY: transient(
    (d) => `another process of tyk-dr holds ${d.path}`,
    'It ends with its worker; this step tries again by itself.',
  ),
  NETWORK_UNREADY: refused(
    (d) => `${d.from} cannot reach ${d.to}: ${d.reason}`,
    'Check name, route and firewall between the two.',
  ),
  CLOCK_SKEW: refused(
    (d) => `the clock of ${d.host} is off by ${d.skewMs} ms; at most ${d.limitMs} ms are allowed`,
    'Synchronise the clocks: times and expiries would be wrong.',
  ),

  // Backup sets
  NO_BACKUP: refused(
    (d) => `no usable backup set of ${d.deployment} in ${d.repository}${d.reason ? `: ${d.reason}` : ''}`,
    'List the sets with tyk-dr backup list. A set without a signed manifest does not count.',
    (d) => `tyk-dr backup list ${d.deployment}`,
  ),
  NO_SET_YET: refused(
    (d) => `no backup set of ${d.deployment} in ${d.repository}`,
    'Make one; it is proven by a restore before it counts. Where the repository was lost, look at an off-site copy.',
    (d) =>
      isGiven(d, 'copy') ? `tyk-dr backup list ${d.first} --copy ${d.copy}` : `tyk-dr backup ${d.first}`,
  ),
  REPOSITORY_UNREADABLE: refused(
    (d) => `${d.path} of the backup repository cannot be read: ${d.reason}`,
    'Whether there are usable sets is not known. Mount it, or run as a user who may read it.',
  ),
  BACKUP_OF_ANOTHER: refused(
    (d) => `backup set ${d.set} belongs to deployment ${d.actual}, not to ${d.expected}`,
    'Choose a set of the deployment that you recover.',
  ),
  MANIFEST_UNSIGNED: refused(
    (d) => `backup set ${d.set} has no signature`,
    'Only signed sets are restored. Choose another set.',
  ),
  MANIFEST_ALTERED: refused(
    (d) => `the signature of backup set ${d.set} does not match: ${d.reason}`,
    'The manifest was altered or signed by an unknown key. Choose another set and keep this one as evidence.',
  ),
  OBJECT_MISSING: refused(
    (d) => `object ${d.object} of backup set ${d.set} is missing`,
    'Choose another set, or bring the object back from an off-site copy.',
  ),
  OBJECT_DAMAGED: refused(
    (d) => `object ${d.object} of backup set ${d.set} is damaged: ${d.reason}`,
    'Choose another set, or bring the object back from an off-site copy.',
  ),
  ...COPY_ERRORS,
  WRONG_AGE_KEY: refused(
    (d) => `the age identity ${d.identity} does not open backup set ${d.set}`,
    'Use the identity of one of the recipients that the manifest names.',
  ),
  FILE_UNREADABLE: refused(
    (d) => `${d.path} cannot be read as the configuration that it should be: ${d.reason}`,
    'Look at the file. A configuration of another day comes from an older set, or from git with --config-ref.',
  ),
  TREE_LEADS_OUTSIDE: refused(
    (d) => `${d.entry} is a link to ${d.target}, outside ${d.root}`,
    'What it leads to would not be in the backup. Put the file itself there, or make the link relative within the folder.',
  ),
  UNSAFE_ARCHIVE: refused(
    (d) => `archive ${d.object} holds the entry '${d.entry}', which leads outside its folder`,
    'The archive was not made by tyk-dr. Keep it as evidence.',
  ),

  ...EVIDENCE_ERRORS,
  ...DRILL_ERRORS,
  ...REPLICATION_ERRORS,
  ...GIT_ERRORS,
  ...SNAPSHOT_ERRORS,
  ...STORE_ERRORS,
  // Services and proofs
  SERVICE_FAILED: failed(
    (d) => `${d.service} on ${d.site} did not ${d.action}: ${d.reason}`,
    'Look at the log of the service, mend the cause and retry.',
  ),
  FENCED: refused(
    (d) => `${d.service} on ${d.site} is fenced by ${d.by}`,
    'The site was given up. Lift the fence only when no other site writes.',
  ),
  NOT_FENCED: failed(
    (d) => `site ${d.site} could not be fenced: ${d.reason}`,
    'Make sure by hand that it cannot write, then say so with tyk-dr confirm RUN --reason.',
  ),
  SECRETS_INCONSISTENT: failed(
    (d) => `${d.field} differs between ${d.left} and ${d.right}`,
    'Dashboard and Gateways must share one set of secrets.',
  ),
  PROOF_FAILED: failed(
    (d) => `${d.proof}: expected ${d.expected}, found ${d.actual}`,
    'The step did its work but the result is not what it must be. Mend the cause and retry.',
  ),
  TRAFFIC_FAILED: failed(
    (d) => `the traffic switch ${d.backend} ${d.reason}`,
    'Look at the load balancer. Clients still reach what they reached before.',
  ),
  LAB_IDLE: refused(
    (d) => `no site of the lab serves: ${d.reason}`,
    'Recover one with tyk-dr recover, or begin anew with lab down --destroy.',
  ),

  // Runs
  ORDER_BROKEN: {
    class: 'bug',
    retryable: false,
    message: (d) => `step ${d.step} was reached before ${d.after} had ended`,
    hint: 'This is a bug in the runbook. Please report it with the run id.',
  },
  PLAN_UNSOUND: {
    class: 'bug',
    retryable: false,
    message: (d) => `no plan was made: ${d.problem}`,
    hint: 'This is a mistake in the runbook’s table of steps. Nothing was changed; please report it.',
  },
  OUTCOME_UNKNOWN: failed(
    (d) => `step ${d.step} timed out and its outcome is unknown`,
    'Look at the target; then retry, which observes first.',
  ),
  ABORTED: failed(
    (d) => `aborted by ${d.actor}: ${d.reason}`,
    'What the run had touched of the target is left stopped and unserved; the report names the state of each component. A source that was fenced stays fenced unless the report says otherwise: tyk-dr unfence lets it serve again.',
  ),
  BUG: {
    class: 'bug',
    retryable: false,
    message: (d) => `unexpected: ${d.message}`,
    hint: 'This is a bug. Please report it with the run id and the log.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && code in ERRORS;
}
