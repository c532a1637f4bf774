import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isMap, isNode, isPair, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { configSchema, type Config } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';

/** Reads tyk-dr.yaml. A wrong file gets every error at once: place, line, value, what was expected. */

/** Where it is looked for, in this order. */
export function configPath(explicit: string | undefined): string {
  return resolve(explicit ?? process.env['TYK_DR_CONFIG'] ?? 'tyk-dr.yaml');
}

/** @throws DrError CONFIG_NOT_FOUND, CONFIG_INVALID */
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
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    merge: true,
  });
  if (document.errors.length > 0) {
    throw invalid(
      path,
      document.errors.map((error) => `${lineOf(lines, error.pos[0])}: ${error.message}`),
    );
  }
  const parsed = configSchema.safeParse(document.toJS());
  if (!parsed.success)
    throw invalid(
      path,
      parsed.error.issues.flatMap((issue) => describe(issue, document, lines)),
    );
  return parsed.data;
}

function invalid(path: string, problems: readonly string[]): DrError {
  return new DrError('CONFIG_INVALID', {
    path,
    count: problems.length,
    problems: problems.map((line) => `  ${line}`).join('\n'),
  });
}

type Issue = z.core.$ZodIssue;

function describe(issue: Issue, document: Document, lines: LineCounter): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) =>
        `${place([...issue.path, key], document, lines)}: unknown field; remove it or correct its name`,
    );
  }
  if (issue.code === 'invalid_union') {
    // Of the alternatives, the one that came furthest is the one that was meant.
    const nearest = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0] ?? [];
    const inner = nearest.flatMap((each) =>
      describe({ ...each, path: [...issue.path, ...each.path] } as Issue, document, lines),
    );
    if (inner.length > 0) return inner;
  }
  const value = document.getIn(issue.path as (string | number)[]);
  return [`${place(issue.path, document, lines)}: ${shown(value, issue)}${issue.message}`];
}

function depth(issues: readonly Issue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length));
}

/** The value as written, unless it stands where a secret's reference belongs: then it may be the secret. */
function shown(value: unknown, issue: Issue): string {
  if (value === undefined) return 'missing; ';
  if (isNode(value) || typeof value === 'object') return '';
  const secret =
    /secret|password|key|identity|passphrase/i.test(String(issue.path.at(-1))) ||
    /reference/.test(issue.message);
  return secret ? 'the value is not shown; ' : `'${String(value)}'; `;
}

function place(path: readonly PropertyKey[], document: Document, lines: LineCounter): string {
  return `${positionOf(path, document, lines)}: ${path.map(String).join('.') || 'the file'}`;
}

/** The line of the field, or of the nearest thing around it that exists. */
function positionOf(path: readonly PropertyKey[], document: Document, lines: LineCounter): string {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && String(item.key) === String(path[length - 1]))
      : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lineOf(lines, node.range[0]);
  }
  return 'line 1';
}

function lineOf(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `line ${line}:${col}`;
}
