import { canonicalJson, isObject, parseExactly, type Json } from './json.ts';
import {
  fromBase64,
  holdsPrivateKey,
  isSecretField,
  isSecretPair,
  REFERENCE,
  swapForms,
  swapLines,
  type Swap,
} from './secret-fields.ts';

/**
 * Puts references in the place of secrets, and secrets back in the place of references. A value is secret by the field
 * that it stands in, by its form, or because it is that of a secret which is known. Pure.
 */

export interface KnownSecret {
  /** What the configuration calls it: `redis.password`; `set` for what only the set knows. */
  readonly name: string;
  readonly value: string;
}

/** Makes the reference to a value. */
export type Refer = (name: string, value: string) => string;

/** Found by its field, with a value that is worth looking for elsewhere. */
const FOUND = 'set';

/** Shorter ones are looked for as whole values only: replacing them everywhere would shred the text. */
const SHORTEST_INSIDE = 6;

/** Every secret that stands in a text by field or form, whether it is known or not. */
export function findSecrets(text: string): KnownSecret[] {
  const found: KnownSecret[] = [];
  swapText(text, {
    field: (value) => {
      if (isTelling(value)) found.push({ name: FOUND, value });
      return value;
    },
    inside: (value) => value,
  });
  return found;
}

/** A password such as `postgres` is an ordinary word elsewhere; and a template is no value. */
function isTelling(value: string): boolean {
  return value.length >= 8 && !/[\s{}<>]/.test(value) && (value.length >= 24 || !/^[A-Za-z]+$/.test(value));
}

/** A function, for the one great pattern of all known values is made once. */
export function scrubber(known: readonly KnownSecret[], refer: Refer): (text: string) => string {
  const names = namesOf(known);
  const pattern = patternOf([...names.keys()].filter((value) => value.length >= SHORTEST_INSIDE));
  const referTo = (value: string): string => refer(names.get(value) ?? FOUND, value);
  const inside: Swap = (text) => {
    if (names.has(text)) return referTo(text);
    return pattern === undefined
      ? text
      : text.replaceAll(pattern, (match) => (REFERENCE.test(match) ? match : referTo(match)));
  };
  return (text) => inside(swapText(text, { field: referTo, inside }));
}

/** A known value and what it looks like where something has quoted or encoded it. */
function namesOf(known: readonly KnownSecret[]): Map<string, string> {
  const names = new Map<string, string>();
  const add = (value: string, name: string): void => {
    if (value !== '' && !names.has(value)) names.set(value, name);
  };
  for (const { name, value } of known) add(value, name);
  for (const { value } of known) {
    const bytes = new TextEncoder().encode(value);
    const base64 = btoa(String.fromCharCode(...bytes));
    add(encodeURIComponent(value), FOUND);
    add(JSON.stringify(value).slice(1, -1), FOUND);
    add(value.replaceAll(/(['\\])/g, '\\$1'), FOUND);
    add(value.replaceAll("'", "''"), FOUND);
    if (value.length >= SHORTEST_INSIDE) {
      add(base64, FOUND);
      add(base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''), FOUND);
      add(base64.replace(/=+$/, ''), FOUND);
    }
    // Of a key that fills a file, each line tells much.
    for (const line of value.split('\n')) if (line.length >= 24 && !line.startsWith('#')) add(line, FOUND);
  }
  return names;
}

/** One pass, the longest first; a reference that stands there already is stepped over. */
function patternOf(values: readonly string[]): RegExp | undefined {
  if (values.length === 0) return undefined;
  const literal = [...values]
    .sort((a, b) => b.length - a.length)
    .map((value) => value.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&'));
  return new RegExp([REFERENCE.source.replaceAll(/\((?!\?)/g, '(?:'), ...literal].join('|'), 'g');
}

interface Swaps {
  /** For a value that is secret by where it stands. */
  readonly field: Swap;
  /** For every other text, whole. */
  readonly inside: Swap;
}

/** A document with its fields in a stable order; any other text line by line. */
function swapText(text: string, swaps: Swaps): string {
  const json = parseExactly(text);
  if (json !== undefined && typeof json === 'object' && json !== null)
    return `${canonicalJson(swapJson(json, [], swaps))}\n`;
  return swapBase64(swapForms(swapLines(text, swaps.field), swaps.field), swaps);
}

function swapJson(value: Json, path: readonly string[], swaps: Swaps): Json {
  if (Array.isArray(value)) return value.map((item) => swapJson(item, path, swaps));
  if (isObject(value)) {
    const pair = isSecretPair(value, path);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        swaps.inside(swapBase64(key, swaps)),
        pair && key === 'value' ? swaps.field(String(item)) : swapJson(item, [...path, key], swaps),
      ]),
    );
  }
  if (typeof value === 'string') return swapString(value, path, swaps);
  // Somebody's password is a number.
  if (typeof value === 'number' && value > 999 && isSecretField(path, '')) return swaps.field(String(value));
  return value;
}

function swapString(value: string, path: readonly string[], swaps: Swaps): string {
  if (value === '') return value;
  if (isSecretField(path, value) || holdsPrivateKey(value)) return swaps.field(value);
  return swaps.inside(swapNested(value, swaps));
}

/** A document inside a string keeps its own form unless it holds a secret. */
function swapNested(text: string, swaps: Swaps): string {
  const inner = /^\s*[[{]/.test(text) ? parseExactly(text) : undefined;
  if (inner !== undefined) {
    const swapped = JSON.stringify(swapJson(inner, [], swaps));
    return swapped === JSON.stringify(inner) ? text : swapped;
  }
  return swaps.inside(swapForms(swapBase64(text, swaps), swaps.field));
}

/** Programs and templates stand in definitions in base64: one that holds a secret is secret whole. */
function swapBase64(text: string, swaps: Swaps): string {
  return text.replaceAll(/[A-Za-z0-9+/_-]{12,}={0,2}/g, (token) => {
    const decoded = fromBase64(token);
    if (decoded === undefined) return token;
    const shown = holdsPrivateKey(decoded) || swapNested(decoded, swaps) !== decoded;
    return shown ? swaps.field(token) : token;
  });
}

/** What a reference stood for: the value, or undefined where nobody knows. */
export type Resolve = (name: string, fingerprint: string) => string | undefined;

/**
 * The text with its secrets again.
 *
 * @param now the same file as it is now: what stands in the place of a reference that nobody can resolve is the
 *   newer value of the same secret
 * @param unresolved told the place of each reference that stays
 */
export function insertSecrets(
  text: string,
  now: string | undefined,
  resolve: Resolve,
  unresolved: (reference: string) => void,
): string {
  const insert = (value: string): string =>
    value.replaceAll(ALL_REFERENCES, (reference: string, name: string, fingerprint: string) => {
      const found = resolve(name, fingerprint);
      if (found === undefined) unresolved(reference);
      return found ?? reference;
    });
  const json = parseExactly(text);
  if (json === undefined || typeof json !== 'object' || json === null) return insert(text);
  const current = now === undefined ? undefined : parseExactly(now);
  const walk = (value: Json, there: Json | undefined): Json => {
    if (Array.isArray(value))
      return value.map((item, at) => walk(item, Array.isArray(there) ? there[at] : undefined));
    if (isObject(value))
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [
          insert(key),
          walk(item, isObject(there) ? there[key] : undefined),
        ]),
      );
    if (typeof value !== 'string') return value;
    const [whole, name, fingerprint] = REFERENCE.exec(value) ?? [];
    if (whole !== value || resolve(name!, fingerprint!) !== undefined) return insert(value);
    return typeof there === 'string' || typeof there === 'number' ? there : insert(value);
  };
  return `${canonicalJson(walk(json, current))}\n`;
}

const ALL_REFERENCES = new RegExp(REFERENCE.source, 'g');
