import type { Argument, Command, Option } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KINDS, type Kind, type Parser } from '../../cli/arguments.ts';
import { buildProgram, main } from '../../cli/main.ts';

/**
 * Every value that any command takes, found in the program itself: a new option is fed what hostile and hasty hands
 * type without anybody remembering to say so here.
 */

const HUGE = 'x'.repeat(200_000);
const EVERYWHERE = ['', ' ', HUGE, 'a\0b', 'a\nb', 'a\u001b[2Jb', 'a\u202Eb'] as const;
const NO_NAME = [
  '../../etc/passwd',
  '/etc/passwd',
  '$(reboot)',
  'a;reboot',
  'a b',
  'раyments',
  '`id`',
  '"',
  '__proto__',
];

const BAD: Readonly<Record<Kind, readonly string[]>> = {
  address: [...EVERYWHERE, ...NO_NAME, '127.0.0.1', 'host:port', ':1', 'http://a:1'],
  choice: [...EVERYWHERE, ...NO_NAME, 'toString'],
  digest: [...EVERYWHERE, ...NO_NAME, 'abc', 'g'.repeat(12), 'a'.repeat(65)],
  duration: [...EVERYWHERE, ...NO_NAME, '1', '-1s', '0s', '1y', '1e3s', '400d'],
  file: EVERYWHERE.filter((value) => value !== ' '),
  moment: [...EVERYWHERE, ...NO_NAME, 'yesterday', '2026-13-24', '2026-11-24T03:00:00', '1'],
  name: [...EVERYWHERE, ...NO_NAME, '--help', 'A', 'a'.repeat(41)],
  number: [...EVERYWHERE, ...NO_NAME, '-1', '1.5', '1e3', '0x10', 'Infinity', 'NaN', '9'.repeat(30)],
  ref: [...EVERYWHERE, ...NO_NAME, '--upload-pack=x', 'a..b', 'HEAD@{1}', 'a:b', 'a^', '-x'],
  run: [...EVERYWHERE, ...NO_NAME, 'run/../x', '-x', 'a/b'],
  set: [...EVERYWHERE, ...NO_NAME, '20261124T031500Z', '20261124T031500Z-1F2E', '20261124T031500Z-1f2e/..'],
  text: EVERYWHERE,
  url: [...EVERYWHERE, ...NO_NAME, 'ftp://a', 'javascript:alert(1)', 'a.b'],
  time: [
    ...EVERYWHERE,
    ...NO_NAME,
    'yesterday',
    '2026-11-24',
    '2026-13-24T00:00:00Z',
    '2999-01-01T00:00:00Z',
    '1',
  ],
};
const GOOD: Readonly<Record<Kind, string>> = {
  ...{
    address: '127.0.0.1:1',
    choice: '',
    digest: 'a'.repeat(12),
    duration: '10m',
    file: 'file',
    moment: '2026-01-01',
    name: 'acme',
    number: '1',
    ref: 'main',
    run: 'acme',
    set: 'latest',
    url: 'http://127.0.0.1:1',
  },
  ...{ text: 'because', time: '2026-01-01T00:00:00Z' },
};

interface Place {
  readonly command: Command;
  readonly path: readonly string[];
  readonly taken: Argument | Option;
  readonly label: string;
}

function places(command: Command, path: readonly string[]): Place[] {
  const own = [...command.registeredArguments, ...command.options]
    .filter((taken) => !('flags' in taken) || taken.required || taken.optional)
    .map((taken) => {
      const label = 'flags' in taken ? taken.long! : taken.name();
      return { command, path, taken, label };
    });
  return [...own, ...command.commands.flatMap((inner) => places(inner, [...path, inner.name()]))];
}

const PLACES = places(buildProgram(), []);
const kindOf = ({ taken }: Place): Kind | undefined =>
  (taken.parseArg as unknown as Partial<Parser<unknown>> | undefined)?.kind;

let stderr = '';
beforeEach(() => {
  stderr = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** The command line with this one value; everything else that it demands is well. */
function commandLine({ command, path, taken }: Place, value: string): string[] {
  const valueOf = (own: Argument | Option): string => (own === taken ? value : sample(own));
  const options = command.options
    .filter((option) => option.mandatory || option === taken)
    .map((option) => `${option.long}=${valueOf(option)}`);
  const mine = command.registeredArguments.indexOf(taken as Argument);
  const given = command.registeredArguments
    .filter((own, index) => own.required || index <= mine)
    .map(valueOf);
  return ['node', 'tyk-dr', ...path, ...options, ...(given.length > 0 ? ['--', ...given] : [])];
}

function sample(own: Argument | Option): string {
  const kind = (own.parseArg as unknown as Parser<unknown>).kind;
  const [first] = /one of (\S+?),/.exec(refusalOf(own) ?? '')?.slice(1) ?? [];
  return kind === 'choice' ? (first ?? '') : GOOD[kind];
}

function refusalOf(own: Argument | Option): string | undefined {
  try {
    own.parseArg!('\0', undefined as never);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('every value of the command line', () => {
  test('is looked at before anything is done: there is no option without a parser', () => {
    expect(PLACES.length).toBeGreaterThan(70);
    const unread = PLACES.filter((place) => !KINDS.includes(kindOf(place)!));
    expect(unread.map(({ path, label }) => [...path, label].join(' '))).toEqual([]);
  });

  test.each(PLACES.map((place) => [[...place.path, place.label].join(' '), place] as const))(
    '%s: what it does not take ends with 2, its name, what was meant, and nothing done',
    async (_name, place) => {
      for (const value of BAD[kindOf(place)!]) {
        stderr = '';
        process.exitCode = undefined;
        await main(commandLine(place, value));
        expect(process.exitCode, JSON.stringify(value.slice(0, 80))).toBe(2);
        expect(stderr.toLowerCase()).toContain(place.label.toLowerCase());
        expect(stderr).toMatch(/^error: .* is '.*'; expected /);
        // It is said on a line or two, and nothing in it moves the cursor.
        expect(stderr.length).toBeLessThan(1_000);

        expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
      }
    },
  );
});
