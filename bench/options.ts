import { parseArgs, type ParseArgsConfig } from 'node:util';
import { DrError } from '../domain/errors.ts';

/** Options of the measurements' commands. */

type OptionTable = NonNullable<ParseArgsConfig['options']>;
type Values<T extends OptionTable> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

/**
 * What was typed, by the table of a command's options; --help prints its usage and ends.
 *
 * @throws DrError BAD_ARGUMENT that names what the command does not take
 */
export function parsed<const T extends OptionTable>(usage: string, options: T): Values<T> {
  const { tokens, values } = parseArgs({
    options: { ...options, help: { type: 'boolean' } },
    ...{ strict: false, tokens: true },
  });
  if (values['help']) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const names = Object.keys(options).map((name) => `--${name}`);
  for (const token of tokens) {
    if (token.kind === 'positional') throw bad('argument', token.value, 'options only, see --help');
    if (token.kind !== 'option') continue;
    const { rawName, value } = token;
    const type = options[token.name]?.type;
    if (type === undefined) throw bad('option', rawName, `one of ${names.join(', ')}`);
    if (type === 'string' && value === undefined) throw bad(rawName, '', 'a value');
    if (type === 'boolean' && value !== undefined) throw bad(rawName, value, 'no value');
  }
  return parseArgs({ options }).values;
}

const bad = (argument: string, value: string, expected: string): DrError =>
  new DrError('BAD_ARGUMENT', { argument, value, expected });

/** @throws DrError BAD_ARGUMENT */
export function whole(argument: string, value: string, least = 1, most = Infinity): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw bad(argument, value, `a whole number from ${least}${most === Infinity ? '' : ` to ${most}`}`);
}
