import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LineCounter, parseDocument, type Document } from 'yaml';
import { checkConfig } from '../../domain/config-check.ts';
import { configSchema, type Config } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { describeIssues, fieldAt, located, type Problem } from './problems.ts';

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
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new DrError('CONFIG_NOT_FOUND', { path }, { cause: error });
  });
  return parseConfig(text, path);
}

/** @throws DrError CONFIG_INVALID */
export function parseConfig(text: string, path: string): Config {
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
    ...(parsed?.success ? checkConfig(parsed.data).map((problem) => located(problem, document)) : []),
  ];
  if (problems.length > 0 || !parsed?.success) throw invalid(path, problems, lines);
  return deepFreeze(parsed.data);
}

/** The parser's own words, but never its excerpt of the file: that may show a secret. */
function problemsOfYaml(document: Document): Problem[] {
  return [...document.errors, ...document.warnings].map(({ code, message, pos: [offset] }) => {
    const field = fieldAt(offset, document);
    return { offset, text: `${field && `${field}: `}${YAML_WORDS[code] ?? message}` };
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
      text: 'an alias (*name) has no anchor (&name) before it; put quotes around a value that begins with an asterisk',
    });
    return undefined;
  }
}

function invalid(path: string, problems: readonly Problem[], lines: LineCounter): DrError {
  const sorted = [...problems].sort((a, b) => a.offset - b.offset);
  const shown = sorted.map(({ offset, text }) => {
    const { line, col } = lines.linePos(offset);
    return `  line ${Math.max(1, line)}:${Math.max(1, col)}: ${text}`;
  });
  return new DrError('CONFIG_INVALID', { path, count: shown.length, problems: shown.join('\n') });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
