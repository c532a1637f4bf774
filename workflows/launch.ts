import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  sleep,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { BackupInput } from '../domain/backup.ts';
import { ERRORS } from '../domain/error-table.ts';
import { backupId, redisAofId, shipWalId, snapshotId, workerQueue } from '../domain/messages.ts';
import { incidentKey, NOTICE_EVENTS, type NoticeEvent } from '../domain/notice.ts';
import type { LaunchInput, ScheduleKind } from '../domain/schedules.ts';
import type { SnapshotKind } from '../domain/snapshot.ts';
import { sendNotice } from './notify.ts';
import { askWorker } from './ping.ts';
import { now } from './run-state.ts';

/**
 * What a schedule starts: schedules append a time to the id of their workflow, so this one starts the real one under
 * its fixed id, waits its turn, and tells people where it failed.
 */

interface Launch {
  readonly workflow: string;
  readonly args: readonly unknown[];
  readonly failure: NoticeEvent;
  /** Default that of all that works on sets: one at a time. */
  readonly workflowId?: string;
}

type Launchable = Exclude<ScheduleKind, 'watch'>;

const LAUNCHES: Readonly<Record<Launchable, (input: BackupInput, verify: boolean) => Launch>> = {
  full: (input, verify) => ({
    workflow: 'backup',
    args: [{ ...input, full: true }, verify],
    failure: 'backup-failed',
  }),
  incremental: (input, verify) => ({ workflow: 'backup', args: [input, verify], failure: 'backup-failed' }),
  redis: (input, verify) => snapshotOf('redis', input, verify),
  config: (input, verify) => snapshotOf('config', input, verify),
  redisAof: (input) => ({
    workflow: 'shipRedisAof',
    args: [input],
    failure: 'backup-failed',
    workflowId: redisAofId(input.deployment),
  }),
  copy: (input) => ({
    workflow: 'shipWal',
    args: [input],
    failure: 'copy-failed',
    workflowId: shipWalId(input.deployment),
  }),
  keyTest: (input) => ({ workflow: 'testKeys', args: [input], failure: 'keys-failed' }),
  verify: (input) => ({ workflow: 'verify', args: [{ ...input, set: 'latest' }], failure: 'verify-failed' }),
  retention: (input) => ({ workflow: 'prune', args: [input, false], failure: 'retention-failed' }),
};

/** Beside the sets: a full backup of hours must not hold up what is taken every few minutes. */
function snapshotOf(only: SnapshotKind, input: BackupInput, verify: boolean): Launch {
  return {
    workflow: 'backup',
    args: [{ ...input, only, set: `${input.set}-${only}` }, verify],
    failure: 'backup-failed',
    workflowId: snapshotId(input.deployment, only),
  };
}

export async function launch(input: LaunchInput): Promise<unknown> {
  const kind = input.kind as Launchable;
  const { startTime } = workflowInfo();
  try {
    const backupInput = await inputOf(input, startTime);
    return await inTurn(input, LAUNCHES[kind](backupInput, input.verify));
  } catch (error) {
    if (isCancellation(error)) throw error;
    const event = LAUNCHES[kind]({} as BackupInput, false).failure;
    await sendNotice(everyWorker(input), {
      event,
      severity: NOTICE_EVENTS[event].severity,
      opens: incidentKey(input.deployment, event),
      deployment: input.deployment,
      at: now(),
      title: `tyk-dr: the scheduled ${kind} of ${input.deployment} failed`,
      lines: [reasonOf(error), `It was begun at ${startTime.toISOString()}.`],
      about: workflowInfo().workflowId,
    });
    throw error;
  }
}

/** Another one of the same deployment may be under way: sets are made, verified and deleted one at a time. */
const TURN_EVERY_MS = 5_000;
/** Longer, and the next of this schedule is due in its place. */
const TURN_PATIENCE_MS = 6 * 3_600_000;

async function inTurn(
  { deployment, kind, priority }: LaunchInput,
  { workflow, args, workflowId = backupId(deployment) }: Launch,
): Promise<unknown> {
  for (const giveUpAt = Date.now() + TURN_PATIENCE_MS; ;) {
    try {
      return await executeChild(workflow, {
        workflowId,
        args: args as unknown[],
        priority: { priorityKey: priority },
        staticSummary: `Scheduled ${kind} of ${deployment}`,
        memo: { run: (args[0] as BackupInput).run },
        // Whoever ends this one does not mean to break off a backup.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || Date.now() > giveUpAt) throw error;
    }
    await sleep(TURN_EVERY_MS, { summary: `Waiting for ${workflowId}` });
  }
}

async function inputOf({ deployment, sites, copies }: LaunchInput, startTime: Date): Promise<BackupInput> {
  const stamp = startTime.toISOString().replaceAll(/[-:]/g, '').slice(0, 15);
  const tail = uuid4().slice(0, 4);
  return {
    run: `bak-${stamp.replace('T', '-')}-${tail}`,
    set: `${stamp}Z-${tail}`,
    deployment,
    configDigest: await digestOf(
      deployment,
      sites.flatMap(({ all }) => all),
    ),
    sites,
    full: false,
    ...(copies === undefined ? {} : { copies }),
    actor: 'schedule',
  };
}

/** The configuration of the first worker that answers: as it is today, not as it was when the schedule was made. */
async function digestOf(deployment: string, workers: readonly string[]): Promise<string> {
  for (const worker of workers) {
    try {
      return (await askWorker(worker, deployment, `Does ${worker} answer?`)).digest;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
    }
  }
  const queue = workers.map(workerQueue).join(', ');
  throw ApplicationFailure.nonRetryable(ERRORS.WORKER_MISSING.message({ queue }), 'WORKER_MISSING');
}

export function everyWorker({ sites }: Pick<LaunchInput, 'sites'>): string[] {
  return [...new Set(sites.flatMap(({ all }) => all))];
}

/** The innermost failure is the one that says what went wrong. */
export function reasonOf(error: unknown): string {
  if (error instanceof ChildWorkflowFailure || error instanceof ActivityFailure)
    return error.cause ? reasonOf(error.cause) : error.message;
  if (error instanceof ApplicationFailure)
    return error.type ? `${error.type}: ${error.message}` : error.message;
  return error instanceof Error ? error.message : String(error);
}
