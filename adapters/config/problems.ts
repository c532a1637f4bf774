import { isMap, isNode, isPair, visit, type Document } from 'yaml';
import type { z } from 'zod';
import type { ConfigProblem } from '../../domain/config-check.ts';
import { nearest } from './nearest.ts';
import { fieldsAt, isSecretAt } from './schema-at.ts';

/** From what the schema says to what a person can act on: place in the file, value found, what was expected. */

export interface Problem {
  /** Position in the text, characters. */
  readonly offset: number;
  /** The names that lead to it; empty where it is about no field. */
  readonly field: string;
  readonly message: string;
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** One problem or more for each issue, with the position of the field, or of the nearest thing around it. */
export function describeIssues(issues: readonly Issue[], value: unknown, document: Document): Problem[] {
  return issues.flatMap((issue) => describe(issue, value, document));
}

/** A problem between parts of the configuration, with its position. */
export function located({ path, message }: ConfigProblem, document: Document): Problem {
  return { offset: offsetOf(path, document), field: named(path), message };
}

function describe(issue: Issue, value: unknown, document: Document): Problem[] {
  const at = (path: Path, message: string): Problem => located({ path, message }, document);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => at([...issue.path, key], unknownField(key, issue.path)));
    case 'invalid_key':
      return issue.issues.map((inner) => at(issue.path, `this name is not possible; ${inner.message}`));
    case 'invalid_union': {
      // Of the alternatives, the one that came furthest is the one that was meant.
      const meant = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0] ?? [];
      const inner = meant.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
      if (inner.length > 0) return describeIssues(inner, value, document);
      return [at(issue.path, issue.message)];
    }
    default:
      return [
        at(issue.path, `${found(valueAt(value, issue.path), issue.path)}${expectation(issue.message)}`),
      ];
  }
}

const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map(({ path }) => path.length));

function unknownField(field: string, parent: Path): string {
  const known = fieldsAt(parent);
  const near = nearest(field, known);
  if (near !== undefined) return `unknown field; did you mean '${near}'?`;
  return `unknown field; expected ${known.length > 0 ? `one of ${known.join(', ')}` : 'nothing here'}`;
}

/** The value as written, unless it stands where a secret's reference belongs: then it may be the secret. */
function found(value: unknown, path: Path): string {
  if (value === undefined) return 'missing; ';
  if (value === null) return 'empty; ';
  if (Array.isArray(value)) return `a list of ${value.length}; `;
  if (typeof value === 'object') return 'a group of fields; ';
  if (isSecretAt(path)) return 'the value is not shown; ';
  const shown = String(value).replace(/\/\/[^/@]*@/, '//[redacted]@');
  return `'${shown}'; `;
}

/** The schema's own phrases say who is to blame first ('Invalid input: '); only the expectation is of use. */
function expectation(message: string): string {
  return message
    .replace(/^(Invalid input|Invalid option|Too big|Too small|Invalid string): /, '')
    .replace(/, received .*$/, '')
    .replace(/^expected \w+ to have >=1 \w+$/, 'expected at least one entry')
    .replace(/^expected \w+ to be >=?/, 'expected at least ')
    .replace(/^expected \w+ to be <=?/, 'expected at most ')
    .replaceAll('|', ', ')
    .replaceAll('"', '')
    .replace(/^expected object$/, 'expected a group of fields')
    .replace(/^expected record$/, 'expected a group of named entries')
    .replace(/^expected array$/, 'expected a list')
    .replace(/^expected string$/, 'expected a text');
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
}

/** The names of the fields that lead to the field at an offset; empty where none begins there. */
export function fieldAt(offset: number, document: Document): string {
  let names: string[] = [];
  visit(document, {
    Pair(_index, pair, around) {
      if (!isNode(pair.key) || pair.key.range?.[0] !== offset) return undefined;
      names = [...around.filter(isPair), pair].map(({ key }) => String(key));
      return visit.BREAK;
    },
  });
  return names.join('.');
}

const named = (path: Path): string => path.map(String).join('.') || 'the file';

function offsetOf(path: Path, document: Document): number {
  for (let length = path.length; length > 0; length -= 1) {
    const inner = path.slice(0, length);
    const parent = length === 1 ? document.contents : document.getIn(inner.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => String(key) === String(inner.at(-1)))
      : undefined;
    const node = pair?.key ?? document.getIn(inner, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
