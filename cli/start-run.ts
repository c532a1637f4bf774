import {
  WorkflowExecutionAlreadyStartedError,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { lockId, SEARCH_ATTRIBUTES, WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { RecoverInput } from '../domain/plan.ts';
import { runAttributes } from '../domain/run-attributes.ts';
import type { drill, failover, recover, replicate } from '../workflows/index.ts';
import { runbookOf } from '../domain/failover.ts';
import { alreadyRunning, TASK_TIMEOUT_MS, type Door } from './client.ts';

/** How every run begins: under the one lock of their deployment, found by the same attributes. */

type Run = typeof recover | typeof drill | typeof failover | typeof replicate;
export type RunHandle = WorkflowHandleWithFirstExecutionRunId<Run>;

/** @param title for Temporal's UI @throws DrError ALREADY_RUNNING */
export async function startRun(door: Door, input: RecoverInput, title: string): Promise<RunHandle> {
  const { run, plan, planDigest, reason, actor } = input;
  const attributes = Object.entries(runAttributes(run, plan)).map(([name, value]) => ({
    key: defineSearchAttributeKey(SEARCH_ATTRIBUTES[name as keyof typeof SEARCH_ATTRIBUTES], 'KEYWORD'),
    value,
  }));
  try {
    return await door.client.workflow.start<Run>(runbookOf(plan), {
      workflowId: lockId(plan.deployment),
      taskQueue: WORKFLOW_QUEUE,
      args: [input],
      workflowTaskTimeout: TASK_TIMEOUT_MS,
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      priority: { priorityKey: plan.priority },
      staticSummary: title.slice(0, 200),
      staticDetails: `${reason}\n\nStarted by ${actor}. Run \`${run}\`, plan ${planDigest.slice(0, 12)}.`,
      memo: { run },
      typedSearchAttributes: new TypedSearchAttributes(attributes),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw await alreadyRunning(door, plan.deployment);
  }
}

/** What is said of a run that has started. @returns whether it is to be followed */
export function toldOfStart(
  run: string,
  what: 'run' | 'drill' | 'failover',
  { json, detach }: { readonly json?: boolean; readonly detach?: boolean },
): boolean {
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, type: 'started', run })}\n`);
  if (detach) {
    if (!json) process.stdout.write(`${run}\n`);
    process.stderr.write(`started; follow it with: tyk-dr status ${run} --watch\n`);
    return false;
  }
  process.stderr.write(`${what} ${run} has started; Ctrl-C only lets go of it\n`);
  return true;
}
