import { hostPort as hostPortSchema, name as nameSchema, url as urlSchema } from '../domain/config-parts.ts';
import { formatDays, parseDuration } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { SET_ID } from '../domain/manifest.ts';
import { isSetOrSnapshot } from '../domain/snapshot.ts';
import { isPlain } from '../domain/plain-text.ts';

/**
 * Parsers for commander, one for every kind of value that a command takes. Each names the argument, the value and what
 * was expected, before anything is looked up, asked or changed.
 */

export const KINDS = [
  'address',
  'choice',
  'digest',
  'duration',
  'file',
  'moment',
  'name',
  'number',
  'ref',
  'run',
  'set',
  'text',
  'time',
  'url',
] as const;
export type Kind = (typeof KINDS)[number];

/** What commander calls with what was typed; `kind` says what it takes. @throws DrError BAD_ARGUMENT */
export type Parser<T> = ((value: string) => T) & { readonly kind: Kind };

/** A parser of your own, for the values of one command. */
export function parser<T>(kind: Kind, parse: (value: string) => T): Parser<T> {
  return Object.assign((value: string) => parse(value), { kind });
}

/** `parse` answers undefined for what it does not take. */
function expecting<T>(
  kind: Kind,
  argument: string,
  expected: string,
  parse: (value: string) => T | undefined,
) {
  return parser(kind, (value) => {
    const parsed = parse(value);
    if (parsed === undefined) throw new DrError('BAD_ARGUMENT', { argument, value, expected });
    return parsed;
  });
}

const matching = (fits: (value: string) => boolean) => (value: string) => (fits(value) ? value : undefined);

export function choice<T extends string>(argument: string, allowed: readonly T[]): Parser<T> {
  const parse = expecting('choice', argument, `one of ${allowed.join(', ')}`, (value) =>
    (allowed as readonly string[]).includes(value) ? (value as T) : undefined,
  );
  return Object.assign(parse, { [ALLOWED]: allowed });
}

const ALLOWED = Symbol('allowed');

/** The words that a parser made by `choice` allows: for the completion of the shell. */
export function allowedBy(parse: unknown): readonly string[] | undefined {
  return (parse as { [ALLOWED]?: readonly string[] } | undefined)?.[ALLOWED];
}

/** A moment with its zone, so that nobody guesses; returned as UTC. The future is refused. */
export function timeArgument(argument: string): Parser<string> {
  return parser('time', (value) => {
    const time = Date.parse(value);
    const fits = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/.test(value);
    const expected =
      !fits || Number.isNaN(time)
        ? 'a time with its zone, such as 2026-11-24T03:15:00Z'
        : 'a time that has passed';
    if (!fits || Number.isNaN(time) || time > Date.now())
      throw new DrError('BAD_ARGUMENT', { argument, value, expected });
    return new Date(time).toISOString();
  });
}

/** A moment with its zone, or a day, which begins at midnight UTC; returned as UTC. */
export function momentArgument(argument: string): Parser<string> {
  const expected = 'a day such as 2026-11-24, or a time with its zone, such as 2026-11-24T03:15:00Z';
  const shape = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/;
  return expecting('moment', argument, expected, (value) => {
    const time = Date.parse(value);
    return shape.test(value) && !Number.isNaN(time) ? new Date(time).toISOString() : undefined;
  });
}

/** Returned in milliseconds. */
export function durationArgument(argument: string, mostMs: number): Parser<number> {
  const expected = `a duration such as 90s, 15m or 1h30m, at most ${formatDays(mostMs)}`;
  return expecting('duration', argument, expected, (value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms > 0 && ms <= mostMs ? ms : undefined;
  });
}

/** A day of the calendar, past or to come: `2026-12-01`. */
export function dayArgument(argument: string): Parser<string> {
  return expecting(
    'moment',
    argument,
    'a day such as 2026-12-01',
    matching((value) => {
      const time = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(value) : Number.NaN;
      return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value);
    }),
  );
}

/** The id of a finding. */
export function findingArgument(argument: string): Parser<string> {
  const expected = 'an id such as F-0a1b2c3d, as findings list shows it';
  return expecting(
    'name',
    argument,
    expected,
    matching((value) => /^[Ff]-[0-9a-fA-F]{8}$/.test(value)),
  );
}

/** A whole number, with its bounds. */
export function numberArgument(argument: string, least: number, most: number): Parser<number> {
  return expecting('number', argument, `a whole number from ${least} to ${most}`, (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= most ? number : undefined;
  });
}

/** The name of a deployment, a site, a worker, a step: as the configuration and the step tables write them. */
export function nameArgument(argument: string): Parser<string> {
  const expected = 'a name of lower-case letters, digits and dashes, at most 40';
  return expecting(
    'name',
    argument,
    expected,
    matching((value) => nameSchema.safeParse(value).success),
  );
}

export function setArgument(argument: string): Parser<string> {
  const expected = 'an id such as 20261124T031500Z-1f2e, or latest';
  return expecting(
    'set',
    argument,
    expected,
    matching((value) => value === 'latest' || SET_ID.test(value)),
  );
}

/** A set, or a snapshot that is used with one. */
export function backupArgument(argument: string): Parser<string> {
  const expected = 'an id such as 20261124T031500Z-1f2e or 20261124T031500Z-1f2e-redis, or latest';
  return expecting(
    'set',
    argument,
    expected,
    matching((value) => value === 'latest' || isSetOrSnapshot(value)),
  );
}

/** Where something listens: HOST:PORT. */
export function addressArgument(argument: string): Parser<string> {
  const expected = 'HOST:PORT, such as 127.0.0.1:8234';
  return expecting(
    'address',
    argument,
    expected,
    matching((value) => hostPortSchema.safeParse(value).success),
  );
}

export function urlArgument(argument: string): Parser<string> {
  const expected = 'an http:// or https:// address';
  return expecting(
    'url',
    argument,
    expected,
    matching((value) => urlSchema.safeParse(value).success),
  );
}

/** A digest as an error or a plan prints it: its beginning will do. */
export function digestArgument(argument: string): Parser<string> {
  const expected = 'the digest as it was printed, of 12 to 64 hexadecimal digits';
  return expecting(
    'digest',
    argument,
    expected,
    matching((value) => /^[0-9a-f]{12,64}$/.test(value)),
  );
}

/** A run's id, its workflow's, or a deployment for its newest run. */
export function runArgument(argument: string): Parser<string> {
  const expected = 'the id of a run, or the name of a deployment for its newest run';
  return expecting(
    'run',
    argument,
    expected,
    matching((value) => RUN.test(value)),
  );
}

const RUN = /^(run\/)?[A-Za-z0-9][A-Za-z0-9-]{0,79}$/;

/** What people write for people: reasons, names of theirs. One line, whatever characters it needs. */
export function textArgument(argument: string, expected = 'a sentence that says why'): Parser<string> {
  return expecting(
    'text',
    argument,
    `${expected}, on one line of at most ${TEXT_MAX} characters`,
    matching((value) => value.trim() !== '' && value.length <= TEXT_MAX && isPlain(value)),
  );
}

/** It goes into histories and reports, which have their own limits. */
const TEXT_MAX = 1000;

export const actorArgument = (argument: string): Parser<string> =>
  textArgument(argument, 'the name of a person');

/** A file or a folder, wherever it is. */
export function fileArgument(argument: string): Parser<string> {
  return expecting(
    'file',
    argument,
    'a path without control characters',
    matching((value) => value !== '' && value.length <= 4096 && isPlain(value)),
  );
}

/** A branch, a tag, a commit or a set: nothing that git would take for an option or an expression. */
export function refArgument(argument: string): Parser<string> {
  const fits = /^(?!.*(\.\.|@\{|\/\/))[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/;
  return expecting(
    'ref',
    argument,
    'a tag, a branch, a commit or a set',
    matching((value) => fits.test(value)),
  );
}
