import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { DrError } from '../domain/errors.ts';
import { RECORD_QUERY } from '../domain/messages.ts';
import type { RunRecord } from '../domain/run.ts';
import type { Door } from './client.ts';
import { missingWorkers, withoutReturned, type MissingWorker } from './missing-workers.ts';
import { cutOff, isTemporalLost } from './failures.ts';

/** Where the record of a run is found: in the result of one that has ended, by query from one in flight. */

/** A query needs a live worker; `status` must answer without one. */
const QUERY_DEADLINE_MS = 1_500;
/** What the server answers by itself. */
export const ANSWER_DEADLINE_MS = 5_000;

export interface RunState {
  /** Undefined where no worker answers. */
  readonly record: RunRecord | undefined;
  readonly ended: boolean;
  /** Temporal's own id of this execution: one run may go on from another under the same workflow id. */
  readonly executionId: string;
  /** Our own id of the run. */
  readonly run: string;
  /** Workers that it waits for. */
  readonly missing: readonly MissingWorker[];
  readonly memo: Record<string, unknown> | undefined;
}

/** The run as it stands. @throws DrError RUN_CUT_OFF, UNKNOWN_RUN, BUG; what says that Temporal itself is away */
export async function runState(door: Door, handle: WorkflowHandle): Promise<RunState> {
  const description = await described(door, handle);
  if (!description) throw new DrError('UNKNOWN_RUN', { run: handle.workflowId });
  const { status, memo, runId: executionId } = description;
  const run = String(memo?.['run'] ?? handle.workflowId);
  if (status.name === 'RUNNING') {
    const asked = await queried<RunRecord>(door, handle, RECORD_QUERY);
    const record = asked && withoutReturned(asked, description);
    const missing = missingWorkers(description, Date.now(), record);
    return { run, executionId, memo, record, missing, ended: false };
  }
  const record = await soon(door, () => finalRecord(handle, run));
  return { run, executionId, memo, missing: [], record, ended: true };
}

/** The last word of an execution that another one has gone on from: it has no result, and a busy worker needs a moment. */
export async function recordOfExecution(
  door: Door,
  workflowId: string,
  executionId: string,
): Promise<RunRecord | undefined> {
  const handle = door.client.workflow.getHandle(workflowId, executionId);
  for (let asked = 0; asked < MOST_QUESTIONS; asked += 1) {
    const record = await queried<RunRecord>(door, handle, RECORD_QUERY);
    if (record) return record;
  }
  return undefined;
}

const MOST_QUESTIONS = 10;

export async function currentRecord(door: Door, handle: WorkflowHandle): Promise<RunRecord | undefined> {
  return (await runState(door, handle)).record;
}

/** Calls to Temporal end after a moment: what goes on longer is a server that is away. */
export function soon<T>({ client }: Door, call: () => Promise<T>): Promise<T> {
  return client.withDeadline(Date.now() + ANSWER_DEADLINE_MS, call);
}

/** Undefined where there is no such workflow, or Temporal has forgotten it. */
export async function described(
  door: Door,
  handle: WorkflowHandle,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await soon(door, () => handle.describe());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Undefined where no worker answers within a moment. */
export async function queried<T>(
  { client }: Door,
  handle: WorkflowHandle,
  query: string,
  deadlineMs = QUERY_DEADLINE_MS,
): Promise<T | undefined> {
  try {
    return await client.withDeadline(Date.now() + deadlineMs, () => handle.query<T>(query));
  } catch {
    return undefined;
  }
}

async function finalRecord(handle: WorkflowHandle, run: string): Promise<RunRecord> {
  try {
    return (await handle.result()) as RunRecord;
  } catch (error) {
    if (isTemporalLost(error)) throw error;
    const record = recordOfFailure(error);
    if (record) return record;
    const how = cutOff(error);
    if (how !== undefined) throw new DrError('RUN_CUT_OFF', { run, how }, { cause: error });
    const cause = error instanceof WorkflowFailedError ? (error.cause?.message ?? error.message) : error;
    throw new DrError('BUG', { message: `run ${run} ended without a record: ${String(cause)}` });
  }
}

function recordOfFailure(error: unknown): RunRecord | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const record = cause.details?.[0] as RunRecord | undefined;
  return record?.format === 'tyk-dr/run/v1' ? record : undefined;
}
