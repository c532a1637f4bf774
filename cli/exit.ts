import { DrError } from '../domain/errors.ts';
import { EXIT_CODES, type ErrorClass } from '../domain/error-kinds.ts';
import { OUTCOME_CLASS, type Outcome } from '../domain/run.ts';
import { outputLines } from '../report/asks.ts';

/** The only place that decides how the program ends: its exit code and the words of an error. */

export function exitWithOutcome(outcome: Outcome): void {
  process.exitCode = EXIT_CODES[OUTCOME_CLASS[outcome]];
}

/** Of runs that went on from one another: the last one says how it stands now, and exceptions of earlier ones stay. */
export function exitWithWorst(outcomes: readonly Outcome[]): void {
  const last = outcomes.at(-1)!;
  const clean = outcomes.every((outcome) => OUTCOME_CLASS[outcome] === 'recovered');
  process.exitCode =
    EXIT_CODES[OUTCOME_CLASS[last] === 'recovered' && !clean ? 'exceptions' : OUTCOME_CLASS[last]];
}

/** Of several runs, by the worst of them. */
export function exitWithClass(name: ErrorClass): void {
  process.exitCode = EXIT_CODES[name];
}

/** What was looked at is not all as it must be. */
export function exitUnlessGood(good: boolean): void {
  if (!good) process.exitCode = EXIT_CODES.exceptions;
}

/** Of a comparison: nothing failed, and what was compared is not the same. */
export function exitWithDifference(): void {
  process.exitCode = EXIT_CODES.exceptions;
}

export function exitDetached(): void {
  process.exitCode = EXIT_CODES.detached;
}

/** Prints what went wrong, what to do, and what to type next. */
export function exitWithError(error: unknown): void {
  if (error instanceof DrError) {
    process.stderr.write(`error: ${error.message}\nhint: ${error.hint}\n`);
    const { output } = error.details;
    // Of a tool that ran elsewhere: the message has only its end.
    if (typeof output === 'string' && !error.message.includes(output))
      process.stderr.write(`${outputLines(output).join('\n')}\n`);
    if (error.next !== undefined) process.stderr.write(`next: ${error.next}\n`);
    process.exitCode = error.exitCode;
    return;
  }
  const text = error instanceof Error ? wordsOf(error) : String(error);
  process.stderr.write(
    `error: unexpected: ${text ?? 'unknown'}\nhint: This is a bug. TYK_DR_DEBUG=1 shows where it happened.\n`,
  );
  process.exitCode = EXIT_CODES.bug;
}

/** Temporal's client says what it was doing, and only the cause says what went wrong. */
function wordsOf({ message, stack, cause }: Error): string | undefined {
  if (process.env['TYK_DR_DEBUG']) return stack;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

export function exitUsage(): void {
  process.exitCode = EXIT_CODES.usage;
}
