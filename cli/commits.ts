import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { configDigest } from '../adapters/config/digest.ts';
import { knownSite } from '../domain/known-site.ts';
import { lockId, WORKFLOW_QUEUE } from '../domain/messages.ts';
import { requireReplicated } from '../runbooks/failover-plan.ts';
import { otherSite } from '../runbooks/plan.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { everyWorker } from '../runbooks/workers.ts';
import type { commits } from '../workflows/index.ts';
import { alreadyRunning, deploymentOf, requireWorkers, type Door } from './client.ts';
import { toldByWorker } from './failures.ts';

/** `tyk-dr replicate DEPLOYMENT --to SITE --synchronous on|off`: whether commits wait for the standby, and nothing else. */

export const COMMITS = ['on', 'off'] as const;

interface CommitsOptions {
  readonly to: string;
  readonly from?: string;
  readonly reason: string;
  readonly actor?: string;
}

/** @throws DrError NOT_REPLICATED, UNKNOWN_SITE, WORKER_MISSING, ALREADY_RUNNING, STANDBY_IS_ANOTHER */
export async function setCommits(
  door: Door,
  name: string,
  how: (typeof COMMITS)[number],
  { to, from: named, reason, actor }: CommitsOptions,
): Promise<void> {
  const deployment = deploymentOf(door.config, name);
  const shape = shapeOf(name, deployment);
  requireReplicated(shape);
  knownSite(name, shape.sites, to);
  const from = otherSite(shape, to, named);
  const workers = everyWorker(knownSite(name, shape.sites, from));
  await requireWorkers(door, name, configDigest(deployment), workers);
  try {
    const answer = await door.client.workflow.execute<typeof commits>('commits', {
      workflowId: lockId(name),
      taskQueue: WORKFLOW_QUEUE,
      args: [{ deployment: name, from, to, workers, wait: how === 'on' }],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `Commits of ${from} of ${name} ${how === 'on' ? 'wait' : 'do not wait'} for ${to}`,
      staticDetails: `${reason}\n\nBy ${actor ?? userInfo().username}.`,
    });
    process.stdout.write(`${from}: ${answer}\n`);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw await alreadyRunning(door, name);
    throw toldByWorker(error) ?? error;
  }
}
