import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { expect } from 'vitest';
import { WORKFLOW_QUEUE } from '../../domain/messages.ts';
import { runbookOf } from '../../domain/failover.ts';
import type { RecoverInput } from '../../domain/plan.ts';
import type { RunRecord, StepRecord } from '../../domain/run.ts';
import { fakes, type Fakes } from './recover-input.ts';
import { withWorkers } from './temporal.ts';

/** Recoveries whose activities answer as they are told, on a real Temporal server. */

export interface ToldRun {
  readonly record: RunRecord;
  readonly calls: string[];
  readonly failedAs?: string;
}

/** Runs a recovery against fakes on both sites' queues. */
export async function toldRun(
  environment: TestWorkflowEnvironment,
  input: RecoverInput,
  overrides: Fakes = {},
  meanwhile: (handle: WorkflowHandle) => Promise<void> = async () => undefined,
): Promise<ToldRun> {
  const { activities, calls } = fakes(overrides);
  return withWorkers(environment, { primary: activities, dr: activities }, async () => {
    const handle = await environment.client.workflow.start(runbookOf(input.plan), {
      workflowId: `run/${input.run}`,
      taskQueue: WORKFLOW_QUEUE,
      args: [input],
    });
    await meanwhile(handle);
    try {
      return { record: (await handle.result()) as RunRecord, calls };
    } catch (error) {
      if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure))
        throw error;
      return { record: error.cause.details![0] as RunRecord, calls, failedAs: error.cause.type! };
    }
  });
}

/** Cancellation reaches an activity with the answer to a heartbeat. */
export function heartbeating(work: () => Promise<never>): () => Promise<never> {
  return async () => {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat(), 100);
    return work().finally(() => clearInterval(beat));
  };
}

export async function awaitState(
  handle: WorkflowHandle,
  reached: (record: RunRecord) => boolean,
): Promise<RunRecord> {
  let record: RunRecord | undefined;
  await expect
    .poll(async () => (record = await handle.query<RunRecord>('record')), { timeout: 15_000 })
    .toSatisfy(reached);
  return record!;
}

export const waiting = (record: RunRecord): boolean => record.steps.some((step) => step.state === 'waiting');

/** How an update was refused: the code and the words. */
export async function refused(answer: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure))
    throw new Error(`not refused: ${String(error)}`);
  return { code: error.cause.type!, message: error.cause.message };
}

export const send = (handle: WorkflowHandle, kind: string, args: unknown): Promise<unknown> =>
  handle.executeUpdate(kind, { args: [args] });

export const rowOf = (record: RunRecord, id: string): StepRecord =>
  record.steps.find((step) => step.id === id)!;
