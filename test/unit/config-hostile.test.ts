import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { parseConfig } from '../../adapters/config/load.ts';
import { EXAMPLE } from '../../cli/init-example.ts';
import { configSchema } from '../../domain/config.ts';
import { argv } from '../../domain/config-parts.ts';

/**
 * Every field of the configuration, found in the schema itself: a new one is fed what hostile and hasty hands write
 * without anybody remembering to say so here.
 */

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly keyType?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

const definition = (schema: z.ZodType): Definition => schema._zod.def;

interface Leaf {
  readonly field: string;
  readonly schema: z.ZodType;
  readonly type: string;
  /** A word of a command: a script may have line breaks. */
  readonly isWord: boolean;
}

function leaves(schema: z.ZodType, field: string, isWord = false): Leaf[] {
  const { type, innerType, in: input, shape, element, keyType, valueType, options } = definition(schema);
  if (shape)
    return Object.entries(shape).flatMap(([key, inner]) =>
      leaves(inner, field === '' ? key : `${field}.${key}`),
    );
  if (element) return leaves(element, `${field}[]`, isWord || element === definition(argv).element);
  if (keyType && valueType) return [...leaves(keyType, `${field}{key}`), ...leaves(valueType, `${field}{}`)];
  if (options) return options.flatMap((option) => leaves(option, field));
  if (type === 'pipe' && input) return [{ field, schema, type: definition(input).type, isWord }];
  if (innerType) return leaves(innerType, field, isWord);
  return [{ field, schema, type, isWord }];
}

const LEAVES = leaves(configSchema, '');
const texts = LEAVES.filter(({ type }) => type === 'string');

const NEVER: readonly [string, unknown][] = [
  ['a number', 5],
  ['nothing', null],
  ['a list', ['a']],
  ['a mapping', { a: 1 }],
  ['a huge text', 'x'.repeat(200_000)],
  ['a NUL character', 'a\0b'],
];
const NEVER_IN_A_LINE: readonly [string, unknown][] = [
  ['an empty text', ''],
  ['a line break', '/a\nb'],
  ['an escape sequence', '/a\u001b[31mb'],
  ['text that runs backwards', '/a\u202Egnp.exe'],
  ['a character that is not seen', '/a\u200Bb'],
  ['half a character', '/a\uD800b'],
];

describe('no field of the configuration takes', () => {
  test('a field is looked at at all', () => {
    expect(texts.length).toBeGreaterThan(100);
  });

  test.each([...NEVER, ...NEVER_IN_A_LINE])('%s for a text', (what, value) => {
    const strict = NEVER_IN_A_LINE.some(([name]) => name === what);
    // Options of rclone may be numbers and may be empty; the words of commands may be anything.
    const meant = texts.filter(({ field, isWord }) => !(strict && isWord) && !field.includes('.options{}'));
    const taken = meant.filter(({ schema }) => schema.safeParse(value).success).map(({ field }) => field);
    expect(taken).toEqual([]);
  });

  test.each([
    ['../../etc/passwd'],
    ['/var/../etc'],
    ['a/b'],
    ['$(reboot)'],
    ['a;reboot'],
    ['--help'],
    ['раyments'],
    ['A'],
  ])('%s for the name of a deployment, a site or a worker', (value) => {
    const names = texts.filter(({ field }) =>
      /(deployments|sites|metrics)\{key\}$|\.worker$|gateways\[\]\.name$/.test(field),
    );
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter(({ schema }) => schema.safeParse(value).success).map(({ field }) => field)).toEqual(
      [],
    );
  });

  test.each([['relative/path'], ['/a/../../etc'], ['/..'], ['~/keys']])(
    '%s for a path of a host',
    (value) => {
      const paths = texts.filter(
        ({ field }) =>
          /(dataDir|stateDir|root|repository|socket|configFile)$/.test(field) && !/git\./.test(field),
      );
      expect(paths.length).toBeGreaterThan(8);
      expect(paths.filter(({ schema }) => schema.safeParse(value).success).map(({ field }) => field)).toEqual(
        [],
      );
    },
  );

  test.each([
    ['a text', '5'],
    ['nothing', null],
    ['not a number', Number.NaN],
    ['endless', Number.POSITIVE_INFINITY],
    ['less than none', -1],
    ['half of one', 0.5],
  ])('%s for a number', (what, value) => {
    const numbers = LEAVES.filter(({ type, field }) => type === 'number' && !field.includes('.options{}'));
    expect(numbers.length).toBeGreaterThan(15);
    const taken = numbers.filter(({ schema }) => schema.safeParse(value).success).map(({ field }) => field);
    // Shares and milliseconds may be broken numbers.
    expect(taken.filter((field) => what !== 'half of one' || !/Percent|Ms$/.test(field))).toEqual([]);
  });
});

test.each([
  ['a field that is named like a part of every object', '__proto__: { polluted: true }'],
  ['a constructor', 'constructor: { prototype: { polluted: true } }'],
])('%s changes nothing and is refused by name', (_what, extra) => {
  expect(() => parseConfig(`${EXAMPLE}\n${extra}\n`, 'tyk-dr.yaml')).toThrow(/__proto__|constructor/);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('a file that is nested ten thousand deep, or that unfolds without end, is refused in words', () => {
  const deep = `deployments: ${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  expect(() => parseConfig(deep, 'tyk-dr.yaml')).toThrow(/tyk-dr\.yaml has \d+ error/);
  const laughs = [
    'a0: &a0 [lol]',
    ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`),
  ];
  expect(() => parseConfig(laughs.join('\n'), 'tyk-dr.yaml')).toThrow(/tyk-dr\.yaml has \d+ error/);
});
