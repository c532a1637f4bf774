import { EXIT_CODES, type ErrorDetails, type ErrorEntry } from './error-kinds.ts';
import { ERRORS, type ErrorCode } from './error-table.ts';

/** The one error that tyk-dr throws on purpose. Anything else that surfaces is a bug. */
export class DrError extends Error {
  override readonly name = 'DrError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(ERRORS[code].message(details), options);
    this.code = code;
    this.details = details;
  }

  /** An error that another process has already put into words. */
  static told(code: ErrorCode, message: string, details: ErrorDetails = {}): DrError {
    const error = new DrError(code, details);
    error.message = message;
    return error;
  }

  get hint(): string {
    return ERRORS[this.code].hint;
  }

  /** The command to type next; undefined where there is none, or not everything that it needs is known. */
  get next(): string | undefined {
    const { next }: ErrorEntry = ERRORS[this.code];
    let known = true;
    const details = new Proxy(this.details, {
      get: (given, name) => {
        const value = given[String(name)];
        if (value === undefined) known = false;
        return value;
      },
    });
    const command = next?.(details);
    return known ? command : undefined;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get exitCode(): number {
    return EXIT_CODES[ERRORS[this.code].class];
  }
}
