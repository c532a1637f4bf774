import { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure } from '@temporalio/activity';
import { DrError } from '../domain/errors.ts';

/** The only place that makes Temporal failures. `type` is the code of the error table. */

/** Temporal keeps 4 KiB of an activity's failure; more would be cut without a word. */
const MESSAGE_LIMIT = 3_500;

export function toFailure(error: unknown): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (isAbort(error)) return error;
  if (error instanceof DrError) {
    return ApplicationFailure.create({
      message: cut(error.message),
      type: error.code,
      nonRetryable: !error.retryable,
      details: [{ hint: error.hint }],
    });
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return ApplicationFailure.create({ message: cut(message), type: 'BUG', nonRetryable: true });
}

function cut(message: string): string {
  return message.length <= MESSAGE_LIMIT ? message : `${message.slice(0, MESSAGE_LIMIT)} … (cut)`;
}

/** What a cancelled stream or tool throws: Temporal must see the cancellation, not a bug of ours. */
function isAbort(error: unknown): error is Error {
  return error instanceof Error && error.name === 'AbortError';
}
