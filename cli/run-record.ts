import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { DrError } from '../domain/errors.ts';
import { RECORD_QUERY } from '../domain/messages.ts';
import type { RunRecord } from '../domain/run.ts';
import type { Door } from './client.ts';

/** Where the record of a run is found: in the result of one that has ended, by query from one in flight. */

/** A query needs a live worker; `status` must answer without one. */
const QUERY_DEADLINE_MS = 1_500;

/** Waits for the end of the run. @throws what ended a run that has no record (terminated, timed out, a bug). */
export async function finalRecord(handle: WorkflowHandle): Promise<RunRecord> {
  try {
    return (await handle.result()) as RunRecord;
  } catch (error) {
    const record = recordOfFailure(error);
    if (record) return record;
    throw error;
  }
}

/** The record as it stands, or undefined where no worker answers. */
export async function currentRecord(door: Door, handle: WorkflowHandle): Promise<RunRecord | undefined> {
  const { status } = await handle.describe();
  if (status.name !== 'RUNNING') {
    return finalRecord(handle).catch((error: unknown) => {
      const cause =
        error instanceof WorkflowFailedError ? (error.cause?.message ?? error.message) : String(error);
      throw new DrError('BUG', { message: `the run ended as ${status.name}: ${cause}` });
    });
  }
  try {
    return await door.client.withDeadline(Date.now() + QUERY_DEADLINE_MS, () =>
      handle.query<RunRecord>(RECORD_QUERY),
    );
  } catch {
    return undefined;
  }
}

function recordOfFailure(error: unknown): RunRecord | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return undefined;
  const record = cause.details?.[0] as RunRecord | undefined;
  return record?.format === 'tyk-dr/run/v1' ? record : undefined;
}
