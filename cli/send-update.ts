import {
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { DrError } from '../domain/errors.ts';
import { isErrorCode } from '../domain/error-table.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import type { Door } from './client.ts';

/** What a person tells a workflow that runs, and what it answers; one way for runs, monitors and fleets. */

/** Workers take a decision at once; a commander must not wait longer to learn that none is there. */
const TAKEN_DEADLINE_MS = 5_000;

export interface Update<Args> {
  readonly kind: string;
  readonly args: Args;
  /** Whom it is told to, in words. */
  readonly to: string;
  /** The run that it is, for the command to type next; absent where it is none. */
  readonly run?: string;
  readonly deadlineMs?: number;
}

/** @throws DrError DECISION_NOT_TAKEN, and whatever the workflow refuses it with */
export async function sendUpdate<Args>(
  { client }: Door,
  handle: WorkflowHandle,
  { kind, args, to, run, deadlineMs = TAKEN_DEADLINE_MS }: Update<Args>,
): Promise<string> {
  const details = run === undefined ? {} : { run };
  try {
    return await client.withDeadline(Date.now() + deadlineMs, () =>
      handle.executeUpdate<string, [Args]>(kind, { args: [args] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
      // Without the cause: it would look as if Temporal were away.
      throw new DrError('DECISION_NOT_TAKEN', { ...details, to, decision: kind, queue: WORKFLOW_QUEUE });
    if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure))
      throw error;
    const { type, message } = error.cause;
    throw isErrorCode(type) ? DrError.told(type, message, details) : error;
  }
}
