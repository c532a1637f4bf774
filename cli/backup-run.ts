import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import type { Workflow, WorkflowResultType } from '@temporalio/common';
import { newSetId } from '../adapters/backup/repository.ts';
import { configDigest } from '../adapters/config/digest.ts';
import { knownSite } from '../domain/known-site.ts';
import type { BackupInput, SiteWorkers } from '../domain/backup.ts';
import type { Deployment } from '../domain/config.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { DrError } from '../domain/errors.ts';
import { backupId, snapshotId, WORKFLOW_QUEUE } from '../domain/messages.ts';
import { SNAPSHOT_KINDS, snapshotKind, type SnapshotKind } from '../domain/snapshot.ts';
import { everyWorker } from '../runbooks/workers.ts';
import { callLine, callsOf, type CallProgress } from './backup-progress.ts';
import { deploymentOf, requireWorkers, TASK_TIMEOUT_MS, type Door } from './client.ts';
import { cutOff, isTemporalLost, toldByWorker, workerAway } from './failures.ts';
import { soon } from './run-record.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { watch } from './watch.ts';

/** How every workflow around backup sets is started and followed; one at a time for each deployment. */

export interface BackupChoice {
  readonly site?: string;
  readonly full?: boolean;
  /** A snapshot of this store. */
  readonly only?: SnapshotKind;
  /** An existing set; default the id of a new one. */
  readonly set?: string;
  /** An off-site copy: it alone is read. */
  readonly copy?: string | undefined;
}

/** @throws DrError UNKNOWN_DEPLOYMENT, UNKNOWN_SITE, WORKER_MISSING, CONFIG_DRIFT */
export async function backupInput(door: Door, name: string, choice: BackupChoice): Promise<BackupInput> {
  const deployment = deploymentOf(door.config, name);
  if (choice.site !== undefined) knownSite(name, deployment.sites, choice.site);
  if (choice.copy !== undefined) copyOf(deployment, choice.copy);
  const sites = siteWorkers(name, deployment).filter(
    ({ site }) => choice.site === undefined || site === choice.site,
  );
  const digest = configDigest(deployment);
  await requireOneSite(door, name, digest, sites);
  const fresh = newSetId(new Date(), choice.only);
  return {
    run: `bak-${fresh.slice(0, 8)}-${fresh.slice(9, 15)}-${randomBytes(2).toString('hex')}`,
    set: choice.set ?? fresh,
    ...(choice.only === undefined ? {} : { only: choice.only }),
    deployment: name,
    configDigest: digest,
    sites,
    full: choice.full ?? false,
    copies: deployment.backup.copies.map(({ name }) => name),
    ...(choice.copy === undefined ? {} : { copy: choice.copy }),
    actor: userInfo().username,
  };
}

/** @throws DrError BAD_ARGUMENT with the names that there are. */
export function copyOf({ backup }: Deployment, name: string): CopyConfig {
  const copy = backup.copies.find((each) => each.name === name);
  if (copy) return copy;
  const names = backup.copies.map((each) => each.name).join(', ');
  throw new DrError('BAD_ARGUMENT', {
    argument: '--copy',
    value: name,
    expected: names === '' ? 'a copy under backup.copies, where there is none' : `one of ${names}`,
  });
}

/** The workers of every site. */
export function siteWorkers(name: string, deployment: Deployment): SiteWorkers[] {
  return Object.entries(shapeOf(name, deployment).sites).map(([site, shape]) => ({
    site,
    all: everyWorker(shape),
    redis: shape.redisWorker ?? shape.worker,
    database: shape.databaseWorker ?? shape.worker,
  }));
}

/** The workers of one site at least must all be there; those of a lost site may be missing. */
async function requireOneSite(
  door: Door,
  name: string,
  digest: string,
  sites: readonly SiteWorkers[],
): Promise<void> {
  const missing: DrError[] = [];
  await Promise.all(
    sites.map(({ all }) =>
      requireWorkers(door, name, digest, all).catch((error: unknown) => {
        if (!(error instanceof DrError) || error.code !== 'WORKER_MISSING') throw error;
        missing.push(error);
      }),
    ),
  );
  if (missing.length === sites.length) throw missing[0]!;
  for (const { message } of missing) process.stderr.write(`note: ${message}; going on without its site\n`);
}

/** Under which id work on a set or snapshot runs: one of each at a time. `latest` is a set. */
export function workId(deployment: string, set: string): string {
  const kind = snapshotKind(set);
  return kind === undefined ? backupId(deployment) : snapshotId(deployment, kind);
}

/** More than the limits of all steps together: only ends a run that no worker will ever take up again. */
const RUN_LIMIT = '24h';

/**
 * Runs to its end, with a line on stderr for each step that ends.
 *
 * @returns undefined where the person let go of it
 * @throws DrError ALREADY_BACKING_UP, and what ended the workflow
 */
export async function executeBackup<T extends Workflow & ((input: BackupInput, ...more: never[]) => unknown)>(
  door: Door,
  workflow: string,
  args: Parameters<T>,
  summary: string,
  id = workId(args[0].deployment, args[0].set),
): Promise<WorkflowResultType<T> | undefined> {
  const { deployment, run } = args[0];
  try {
    const handle = await door.client.workflow.start<T>(workflow, {
      workflowId: id,
      taskQueue: WORKFLOW_QUEUE,
      args,
      workflowIdConflictPolicy: 'FAIL',
      workflowExecutionTimeout: RUN_LIMIT,
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      staticSummary: summary,
      memo: { run },
    } as never);
    return await followBackup<WorkflowResultType<T>>(door, handle, deployment);
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { type, memo } = await door.client.workflow.getHandle(id).describe();
    const only = SNAPSHOT_KINDS.find((kind) => id === snapshotId(deployment, kind));
    const kind = only ? `${type} of a ${only} snapshot` : type;
    throw new DrError('ALREADY_BACKING_UP', { kind, deployment, only, run: String(memo?.['run'] ?? '') });
  }
}

/** @returns its result, or undefined where the person let go of it. @throws DrError: what ended the workflow */
export async function followBackup<T>(
  door: Door,
  handle: WorkflowHandle,
  deployment: string,
): Promise<T | undefined> {
  const told = new Set<number>();
  let calls: CallProgress[] = [];
  const ended = await watch({
    what: 'it',
    back: watchCommand(handle.workflowId, deployment),
    async look() {
      const { status } = await soon(door, () => handle.describe());
      calls = await soon(door, () => callsOf(handle));
      return { state: true, ended: status.name !== 'RUNNING' };
    },
    show() {
      for (const [index, call] of calls.entries()) {
        if (!call.ended || told.has(index)) continue;
        told.add(index);
        process.stderr.write(`${callLine(call)}\n`);
      }
    },
    notice: (text) => process.stderr.write(`${new Date().toISOString()} ${text}\n`),
  });
  if (ended === undefined) return undefined;
  return (await soon(door, () => handle.result()).catch((error: unknown) => {
    throw failureOf(error, handle.workflowId, deployment, calls);
  })) as T;
}

function watchCommand(id: string, deployment: string): string {
  const only = SNAPSHOT_KINDS.find((kind) => id === snapshotId(deployment, kind));
  return `tyk-dr backup watch ${deployment}${only ? ` --only ${only}` : ''}`;
}

/** The error of our own table inside what Temporal wraps around it. */
function failureOf(error: unknown, id: string, deployment: string, calls: readonly CallProgress[]): unknown {
  if (isTemporalLost(error)) return error;
  const how = cutOff(error);
  if (how !== undefined) return new DrError('RUN_CUT_OFF', { run: id, how }, { cause: error });
  const open = calls.find(({ ended }) => !ended);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
  return (
    toldByWorker(error, { deployment }) ??
    workerAway(error, open?.queue) ??
    new DrError('BUG', { message: cause }, { cause: error })
  );
}
