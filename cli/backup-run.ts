import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  type Workflow,
  type WorkflowResultType,
} from '@temporalio/common';
import { newSetId } from '../adapters/backup/repository.ts';
import { configDigest } from '../adapters/config/digest.ts';
import type { BackupInput } from '../domain/backup.ts';
import { DrError, isErrorCode } from '../domain/errors.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { everyWorker } from '../runbooks/plan.ts';
import { deploymentOf, requireWorkers, type Door } from './client.ts';
import { shapeOf } from './shape.ts';

/** What every workflow around backup sets is started with; one at a time for each deployment. */

export interface BackupChoice {
  readonly site?: string;
  readonly full?: boolean;
  /** An existing set; default the id of a new one. */
  readonly set?: string;
}

/** @throws DrError UNKNOWN_DEPLOYMENT, UNKNOWN_SITE, WORKER_MISSING, CONFIG_DRIFT */
export async function backupInput(door: Door, name: string, choice: BackupChoice): Promise<BackupInput> {
  const deployment = deploymentOf(door.config, name);
  if (choice.site !== undefined && !(choice.site in deployment.sites)) {
    throw new DrError('UNKNOWN_SITE', {
      deployment: name,
      site: choice.site,
      known: Object.keys(deployment.sites).join(', '),
    });
  }
  const sites = Object.entries(shapeOf(name, deployment).sites)
    .filter(([site]) => choice.site === undefined || site === choice.site)
    .map(([site, shape]) => ({
      site,
      all: everyWorker(shape),
      redis: shape.redisWorker ?? shape.worker,
      database: shape.databaseWorker ?? shape.worker,
    }));
  const digest = configDigest(deployment);
  await requireWorkers(door, name, digest, choice.site === undefined ? [] : sites.flatMap(({ all }) => all));
  const fresh = newSetId();
  return {
    run: `bak-${fresh.slice(0, 8)}-${fresh.slice(9, 15)}-${randomBytes(2).toString('hex')}`,
    set: choice.set ?? fresh,
    deployment: name,
    configDigest: digest,
    sites,
    full: choice.full ?? false,
    actor: userInfo().username,
  };
}

/** Runs to its end. @throws DrError ALREADY_RUNNING, and what ended the workflow */
export async function executeBackup<T extends Workflow & ((input: BackupInput, ...more: never[]) => unknown)>(
  door: Door,
  workflow: string,
  args: Parameters<T>,
  summary: string,
): Promise<WorkflowResultType<T>> {
  const workflowId = `backup/${args[0].deployment}`;
  try {
    return await door.client.workflow.execute<T>(workflow, {
      workflowId,
      taskQueue: WORKFLOW_QUEUE,
      args,
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: summary,
    } as never);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      throw new DrError('ALREADY_RUNNING', { workflowId, run: 'a backup, or a deletion of old ones' });
    throw failureOf(error);
  }
}

/** The error of our own table inside what Temporal wraps around it. */
function failureOf(error: unknown): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type))
    return DrError.told(cause.type, cause.message);
  return new DrError('BUG', { message: cause?.message ?? error.message });
}
