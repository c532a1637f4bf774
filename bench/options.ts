import { DrError } from '../domain/errors.ts';

/** Options of the measurements' commands. */

/** @throws DrError BAD_ARGUMENT */
export function whole(argument: string, value: string, least = 1, most = Infinity): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  const expected = `a whole number from ${least}${most === Infinity ? '' : ` to ${most}`}`;
  throw new DrError('BAD_ARGUMENT', { argument, value, expected });
}
