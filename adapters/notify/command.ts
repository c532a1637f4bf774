import { DrError } from '../../domain/errors.ts';
import type { Notice } from '../../domain/notice.ts';
import { run } from '../process/run.ts';

/** Runs a program of the owner with the notice as JSON on its standard input; no shell reads any of it. */

/** @throws DrError NOTICE_UNSENT where it cannot be run, does not end in time, or ends with another code than 0. */
export async function runWithNotice(
  argv: readonly string[],
  notice: Notice,
  timeoutMs: number,
): Promise<void> {
  try {
    await run(argv, { input: `${JSON.stringify({ version: 1, ...notice })}\n`, timeoutMs });
  } catch (error) {
    // What it wrote may hold what only its owner should know: only how it ended is told.
    const how = error instanceof DrError ? (error.details['exit'] ?? error.message) : 'it cannot be run';
    throw new DrError('NOTICE_UNSENT', { channel: `command ${argv[0]}`, reason: `it ended with ${how}` });
  }
}
