import { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure } from '@temporalio/activity';
import { diskError } from '../adapters/files/disk-error.ts';
import { DrError } from '../domain/errors.ts';
import type { FailureDetails } from '../domain/run.ts';
import { ProofError } from './proofs.ts';

/** The only place that makes Temporal failures. `type` is the code of the error table. */

/** Temporal keeps 4 KiB of an activity's failure; more would be cut without a word. */
const MESSAGE_LIMIT = 3_500;
/** The failed ones come first: a hundred APIs that answer wrongly need not all be named. */
const MOST_PROOFS = 40;

/** Runs what is no step of a run, with its errors as Temporal's. */
export async function asActivity<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error);
  }
}

export function toFailure(error: unknown): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (isAbort(error)) return error;
  if (error instanceof DrError) {
    return ApplicationFailure.create({
      message: cut(error.message),
      type: error.code,
      nonRetryable: !error.retryable,
      details: [failureDetails(error)],
    });
  }
  const disk = diskError((error as NodeJS.ErrnoException).path ?? 'a file', error);
  if (disk instanceof DrError) return toFailure(disk);
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return ApplicationFailure.create({ message: cut(message), type: 'BUG', nonRetryable: true });
}

function failureDetails(error: DrError): FailureDetails {
  if (!(error instanceof ProofError)) return { hint: error.hint };
  const failed = error.proofs.filter((proof) => proof.verdict === 'fail');
  const others = error.proofs.filter((proof) => proof.verdict !== 'fail');
  return { hint: error.hint, proofs: [...failed, ...others].slice(0, MOST_PROOFS) };
}

function cut(message: string): string {
  return message.length <= MESSAGE_LIMIT ? message : `${message.slice(0, MESSAGE_LIMIT)} … (cut)`;
}

/** What a cancelled stream or tool throws: Temporal must see the cancellation, not a bug of ours. */
function isAbort(error: unknown): error is Error {
  return error instanceof Error && error.name === 'AbortError';
}
