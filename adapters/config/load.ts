import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LineCounter, parseDocument, type Document } from 'yaml';
import { checkConfig } from '../../domain/config-check.ts';
import { configSchema, type Config } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { describeIssues, fieldAt, located as atField, type Problem } from './problems.ts';

/** Reads tyk-dr.yaml. A wrong file gets every error at once: place, line, value, what was expected. */

/** Where it is looked for, in this order. */
export function configPath(explicit: string | undefined): string {
  return resolve(explicit ?? process.env['TYK_DR_CONFIG'] ?? 'tyk-dr.yaml');
}

/**
 * @returns the configuration, defaults filled in, frozen
 * @throws DrError CONFIG_NOT_FOUND, CONFIG_INVALID
 */
export async function loadConfig(explicit: string | undefined): Promise<Config> {
  const path = configPath(explicit);
  return parseConfig(await readConfig(path), path);
}

/** @throws DrError CONFIG_NOT_FOUND */
export function readConfig(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new DrError('CONFIG_NOT_FOUND', { path }, { cause: error });
  });
}

/** @throws DrError CONFIG_INVALID */
export function parseConfig(text: string, path: string): Config {
  const { config, problems } = examineConfig(text);
  if (!config) throw invalid(path, problems);
  return config;
}

export interface LocatedProblem {
  readonly line: number;
  readonly column: number;
  readonly field: string;
  readonly message: string;
}

/** The configuration where there is nothing to say against it; else everything that there is, in order of place. */
export function examineConfig(text: string): { config?: Config; problems: LocatedProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const yamlProblems = problemsOfYaml(document);
  // A field that appears twice still leaves a document to check; other errors of YAML do not.
  const readable = document.errors.every(({ code }) => code === 'DUPLICATE_KEY');
  const value = readable ? toValue(document, yamlProblems) : undefined;
  const parsed = value === undefined ? undefined : configSchema.safeParse(value);
  const problems = [
    ...yamlProblems,
    ...(parsed?.success === false ? describeIssues(parsed.error.issues, value, document) : []),
    // The parts are compared with each other only where each has its shape.
    ...(parsed?.success ? checkConfig(parsed.data).map((problem) => atField(problem, document)) : []),
  ];
  const located = placed(problems, lines);
  return problems.length > 0 || !parsed?.success
    ? { problems: located }
    : { config: deepFreeze(parsed.data), problems: [] };
}

function placed(problems: readonly Problem[], lines: LineCounter): LocatedProblem[] {
  return [...problems]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, field, message }) => {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(1, line), column: Math.max(1, col), field, message };
    });
}

/** The parser's own words, but never its excerpt of the file: that may show a secret. */
function problemsOfYaml(document: Document): Problem[] {
  return [...document.errors, ...document.warnings].map(({ code, message, pos: [offset] }) => {
    return { offset, field: fieldAt(offset, document), message: YAML_WORDS[code] ?? message };
  });
}

const YAML_WORDS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this field stands here a second time; expected each field once',
  TAG_RESOLVE_FAILED: 'an unknown tag; put quotes around a value that begins with an exclamation mark',
};

/** The plain value; undefined, with a problem noted, where an alias leads nowhere. */
function toValue(document: Document, problems: Problem[]): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    problems.push({
      offset: 0,
      field: '',
      message:
        'an alias (*name) has no anchor (&name) before it; put quotes around a value that begins with an asterisk',
    });
    return undefined;
  }
}

export function invalid(path: string, problems: readonly LocatedProblem[]): DrError {
  const shown = problems.map(
    ({ line, column, field, message }) => `  line ${line}:${column}: ${field && `${field}: `}${message}`,
  );
  return new DrError('CONFIG_INVALID', { path, count: shown.length, problems: shown.join('\n') });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
