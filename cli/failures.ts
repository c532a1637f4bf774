import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
} from '@temporalio/common';
import { DrError } from '../domain/errors.ts';
import { isErrorCode } from '../domain/error-table.ts';
import { type ErrorDetails } from '../domain/error-kinds.ts';
import type { FailureDetails } from '../domain/run.ts';

/** What Temporal's client throws, in the words of our own table. */

/**
 * Codes of gRPC for a server that is away, or too busy to answer in time: CANCELLED (it gave up a call of its own),
 * DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE.
 */
const LOST: readonly number[] = [1, 4, 8, 13, 14];

/** Whether Temporal itself does not answer, as opposed to answering with an error. */
export function isTemporalLost(error: unknown): boolean {
  if (isGrpcServiceError(error)) return LOST.includes(error.code);
  return error instanceof Error && error.cause !== undefined && isTemporalLost(error.cause);
}

/** The error of our own table that a worker has thrown, inside what Temporal wraps around it. */
export function toldByWorker(error: unknown, details: ErrorDetails = {}): DrError | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
  if (!(cause instanceof ApplicationFailure) || !isErrorCode(cause.type)) return undefined;
  const [told] = (cause.details ?? []) as [FailureDetails?];
  return DrError.told(cause.type, cause.message, {
    ...details,
    ...(told?.output === undefined ? {} : { output: told.output }),
  });
}

/** How a run ended that could not end by itself, in a word; undefined where it did. */
export function cutOff(error: unknown): string | undefined {
  if (!(error instanceof WorkflowFailedError)) return undefined;
  if (error.cause instanceof TerminatedFailure) return 'terminated';
  if (error.cause instanceof CancelledFailure) return 'cancelled';
  if (error.cause instanceof TimeoutFailure) return 'timed out';
  return undefined;
}

/** An activity that ended because its worker did; `queue` is where it was waiting or running. */
export function workerAway(error: unknown, queue: string | undefined): DrError | undefined {
  if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ActivityFailure)) return undefined;
  const { cause, activityType: step } = error.cause;
  if (!(cause instanceof TimeoutFailure)) return undefined;
  const at = queue ?? 'an unknown queue';
  switch (cause.timeoutType) {
    case TimeoutType.SCHEDULE_TO_START:
      return new DrError('WORKER_MISSING', { queue: at, worker: queue?.replace(/^tyk-dr\./, '') });
    case TimeoutType.HEARTBEAT:
      return new DrError('WORKER_LOST', { queue: at, step });
    default:
      return new DrError('OUTCOME_UNKNOWN', { step });
  }
}
