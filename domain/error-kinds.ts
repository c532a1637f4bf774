/** What kinds of errors there are, and what each means to whoever called: exit code, retries. */

export const EXIT_CODES = {
  recovered: 0,
  bug: 1,
  usage: 2,
  exceptions: 3,
  refused: 10,
  running: 11,
  failed: 12,
  stuck: 13,
  detached: 130,
} as const;

export type ErrorClass = keyof typeof EXIT_CODES;

type Detail = string | number | boolean | undefined;
export type ErrorDetails = Readonly<Record<string, Detail>>;

export interface ErrorEntry {
  readonly class: ErrorClass;
  readonly retryable: boolean;
  readonly message: (details: ErrorDetails) => string;
  readonly hint: string;
  /** The command to type next, where there is one. Not printed where a detail that it needs is not known. */
  readonly next?: Next;
}

type Next = (details: ErrorDetails) => string;

/** Whether a detail is there that a command can do without: to look at it in another way says that it is needed. */
export function isGiven(details: ErrorDetails, name: string): boolean {
  return Object.getOwnPropertyDescriptor(details, name)?.value !== undefined;
}

export const refused = (message: ErrorEntry['message'], hint: string, next?: Next): ErrorEntry => ({
  class: 'refused',
  retryable: false,
  message,
  hint,
  ...(next && { next }),
});
export const usage = (message: ErrorEntry['message'], hint: string, next?: Next): ErrorEntry => ({
  class: 'usage',
  retryable: false,
  message,
  hint,
  ...(next && { next }),
});
export const failed = (message: ErrorEntry['message'], hint: string, next?: Next): ErrorEntry => ({
  class: 'failed',
  retryable: false,
  message,
  hint,
  ...(next && { next }),
});
export const transient = (message: ErrorEntry['message'], hint: string): ErrorEntry => ({
  class: 'failed',
  retryable: true,
  message,
  hint,
});
