import { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure } from '@temporalio/activity';
import { diskError } from '../adapters/files/disk-error.ts';
import { ERRORS } from '../domain/error-table.ts';
import { DrError } from '../domain/errors.ts';
import { lastLines, OUTPUT_LIMIT_BYTES } from '../domain/output.ts';
import type { FailureDetails } from '../domain/run.ts';
import { hideByForm, type Hide } from './hide-secrets.ts';
import { ProofError } from './proofs.ts';

/** The only place that makes Temporal failures. `type` is the code of the error table. */

/** Of an attempt that is tried again Temporal keeps 4 KiB; more would be cut without a word. */
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

/**
 * @param hide takes the secrets out of a text: of what a tool wrote nobody knows what it holds
 * @param served who it was that failed
 */
export function toFailure(
  error: unknown,
  hide: Hide = hideByForm,
  served: Pick<FailureDetails, 'servedBy'> = {},
): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (isAbort(error)) return error;
  if (error instanceof DrError) {
    const raw = outputOf(error);
    const output = raw === undefined ? undefined : lastLines(hide(raw), OUTPUT_LIMIT_BYTES);
    // The output is told beside the message, in which its end is enough.
    const message = raw === undefined ? error.message : error.message.replaceAll(raw, endOf(hide(raw)));
    return ApplicationFailure.create({
      message: cut(message),
      type: error.code,
      nonRetryable: !error.retryable,
      details: [{ ...failureDetails(error), ...(output ? { output } : {}), ...served }],
    });
  }
  const disk = diskError((error as NodeJS.ErrnoException).path ?? 'a file', error);
  if (disk instanceof DrError) return toFailure(disk, hide, served);
  const { message, stack = '' } = error instanceof Error ? error : { message: String(error) };
  const frames = framesOf(stack);
  return ApplicationFailure.create({
    message: cut(hide(ERRORS.BUG.message({ message }))),
    ...{ type: 'BUG', nonRetryable: true },
    details: frames.length === 0 ? [] : [{ output: hide(frames.join('\n')), ...served }],
  });
}

/** Where it happened, for whoever mends it: a commander reads the message. */
const framesOf = (stack: string): string[] =>
  stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MOST_FRAMES);

const MOST_FRAMES = 12;

/** What the tool wrote that is at the bottom of the failure. */
function outputOf(error: DrError): string | undefined {
  for (let at: unknown = error; at instanceof DrError; at = at.cause) {
    const { output } = at.details;
    if (typeof output === 'string' && output !== '' && output !== NO_OUTPUT) return output;
  }
  return undefined;
}

const END_LINES = 3;
const END_LETTERS = 400;

function endOf(output: string): string {
  const lines = lastLines(output, OUTPUT_LIMIT_BYTES).split('\n').slice(-END_LINES);
  return lines
    .map((line) => line.trim())
    .join(' / ')
    .slice(-END_LETTERS);
}

/** What adapters say of a tool that was silent. */
const NO_OUTPUT = 'no output';

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
