import { DrError } from '../../domain/errors.ts';

/**
 * Text for bash. Every value of the configuration goes through here: in single quotes nothing means anything, so that
 * no name, path or pattern can become a command. Pure.
 */

/** One word. @throws DrError BAD_ARGUMENT for what no shell can hold. */
export function word(value: string | number): string {
  const text = String(value);
  if (text.includes('\0'))
    throw new DrError('BAD_ARGUMENT', {
      argument: 'a value of the configuration',
      value: JSON.stringify(text),
      expected: 'text without a zero byte, which no shell can hold',
    });
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function words(values: readonly (string | number)[]): string {
  return values.map(word).join(' ');
}

/** `NAME=(...)`, all in one line. */
export function list(name: string, values: readonly (string | number)[]): string {
  return `${name}=(${words(values)})`;
}

/** One line of a comment, whatever is in it. */
export function comment(text: string): string {
  return `# ${text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')}`;
}

/** A function that branches on its first argument: `cases` are a value and the lines for it. */
export function branching(
  name: string,
  about: string,
  cases: readonly (readonly [string, readonly string[]])[],
  otherwise: readonly string[] = [':'],
): string[] {
  return [
    comment(about),
    `${name}() {`,
    '  case $1 in',
    ...cases.flatMap(([value, lines]) => [
      `    ${word(value)})`,
      ...lines.map((line) => `      ${line}`),
      '      ;;',
    ]),
    '    *)',
    ...otherwise.map((line) => `      ${line}`),
    '      ;;',
    '  esac',
    '}',
  ];
}
