import type { SnapshotKind } from './snapshot.ts';

/** The names under which CLI, workflows and workers find each other in Temporal. */

/** One id for all runbooks that change a deployment: the lock that lets one run at a time. */
export const lockId = (deployment: string): string => `run/${deployment}`;

/** The shipping of Redis's log: beside backups, but one at a time. */
export const redisAofId = (deployment: string): string => `redis-aof/${deployment}`;
/** All that makes or verifies snapshots of one kind: beside sets, which may take hours, and beside the other kind. */
export const snapshotId = (deployment: string, kind: SnapshotKind): string =>
  `snapshot/${deployment}/${kind}`;

/** The shipping of WAL to the off-site copies: the same. */
export const shipWalId = (deployment: string): string => `wal/${deployment}`;

/** One id for all that makes, verifies or deletes backup sets of a deployment. It changes nothing of the deployment. */
export const backupId = (deployment: string): string => `backup/${deployment}`;

/** The bringing of configuration to a standby: one at a time, beside backups and outside the lock. */
export const filesId = (deployment: string): string => `files/${deployment}`;

/** What is left to do on a site that was given up without being fenced; outside the lock, for it outlives the run. */
export const fenceId = (deployment: string, run: string, worker: string): string =>
  `fence/${deployment}/${run}/${worker}`;

/** Workflow tasks: served by every worker, so that a run outlives any one of them. */
export const WORKFLOW_QUEUE = 'tyk-dr';

/** Activities of one worker. */
export const workerQueue = (worker: string): string => `tyk-dr.${worker}`;

export const RECORD_QUERY = 'record';

/** Search attributes, all of type Keyword: SQL visibility has room for ten. */
export const SEARCH_ATTRIBUTES = {
  run: 'TykDrRun',
  deployment: 'TykDrDeployment',
  tier: 'TykDrTier',
  runbook: 'TykDrRunbook',
  phase: 'TykDrPhase',
  outcome: 'TykDrOutcome',
  site: 'TykDrSite',
  rto: 'TykDrRto',
} as const;
