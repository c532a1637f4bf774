import { DrError } from '../domain/errors.ts';

/** Parsers for commander: each names the argument, the value and what was expected. */

export function choice<T extends string>(argument: string, allowed: readonly T[]): (value: string) => T {
  return (value) => {
    if ((allowed as readonly string[]).includes(value)) return value as T;
    throw new DrError('BAD_ARGUMENT', { argument, value, expected: `one of ${allowed.join(', ')}` });
  };
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
