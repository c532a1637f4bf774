import { DrError } from '../domain/errors.ts';

/** Parsers for commander: each names the argument, the value and what was expected. */

const ALLOWED = Symbol('allowed');

export function choice<T extends string>(argument: string, allowed: readonly T[]): (value: string) => T {
  const parse = (value: string): T => {
    if ((allowed as readonly string[]).includes(value)) return value as T;
    throw new DrError('BAD_ARGUMENT', { argument, value, expected: `one of ${allowed.join(', ')}` });
  };
  return Object.assign(parse, { [ALLOWED]: allowed });
}

/** The words that a parser made by `choice` allows: for the completion of the shell. */
export function allowedBy(parser: unknown): readonly string[] | undefined {
  return (parser as { [ALLOWED]?: readonly string[] } | undefined)?.[ALLOWED];
}

/** A moment with its zone, so that nobody guesses; returned as UTC. The future is refused. */
export function timeArgument(argument: string): (value: string) => string {
  return (value) => {
    const time = Date.parse(value);
    if (
      !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/.test(value) ||
      Number.isNaN(time)
    ) {
      throw new DrError('BAD_ARGUMENT', {
        argument,
        value,
        expected: 'a time with its zone, such as 2026-11-24T03:15:00Z',
      });
    }
    if (time > Date.now())
      throw new DrError('BAD_ARGUMENT', { argument, value, expected: 'a time that has passed' });
    return new Date(time).toISOString();
  };
}

/** A moment with its zone, or a day, which begins at midnight UTC; returned as UTC. */
export function momentArgument(argument: string): (value: string) => string {
  return (value) => {
    const shape = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2}))?$/;
    const time = Date.parse(value);
    if (shape.test(value) && !Number.isNaN(time)) return new Date(time).toISOString();
    throw new DrError('BAD_ARGUMENT', {
      argument,
      value,
      expected: 'a day such as 2026-11-24, or a time with its zone, such as 2026-11-24T03:15:00Z',
    });
  };
}

const MOST = 10_000;

export function countArgument(argument: string): (value: string) => number {
  return (value) => {
    const count = Number(value);
    if (/^\d{1,5}$/.test(value) && count >= 1 && count <= MOST) return count;
    throw new DrError('BAD_ARGUMENT', { argument, value, expected: `a number from 1 to ${MOST}` });
  };
}
