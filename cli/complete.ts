import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { CompletionTree, Value } from './completion-tree.ts';

/**
 * Answers a shell that completes: from what the build wrote down and the configuration as it lies here, asking
 * nobody. It loads as little as can be, so that the key answers at once, and whatever is wrong it offers nothing.
 */

/** What can be offered, with what it means; the shell leaves out what does not fit what was typed. */
export interface Offer {
  readonly word: string;
  readonly about?: string;
}

/** What names there are. Each is looked up only when it is asked for. */
export interface Names {
  deployments(): readonly string[];
  sites(deployment: string | undefined): readonly string[];
  workers(): readonly string[];
  runs(): readonly string[];
  sets(deployment: string | undefined): readonly string[];
}

/** @param words what follows the program's name; the last one is being typed, and may be empty. */
export function complete(tree: CompletionTree, words: readonly string[], names: Names): Offer[] {
  const typed = words.at(-1) ?? '';
  let at = tree;
  const given: string[] = [];
  let awaited: Value | undefined;
  for (const word of words.slice(0, -1)) {
    if (awaited !== undefined) {
      awaited = undefined;
      continue;
    }
    if (word.startsWith('-')) awaited = word.includes('=') ? undefined : optionOf(tree, at, word)?.value;
    else if (given.length === 0 && at.commands[word]) at = at.commands[word];
    else given.push(word);
  }
  const deployment = given.find((word) => names.deployments().includes(word));
  if (awaited !== undefined) return offers(awaited, names, deployment);
  if (typed.startsWith('-')) {
    const own = at === tree ? at.options : [...at.options, ...tree.options];
    return [
      ...own.map(({ flag, about }) => ({ word: flag, about })),
      { word: '--help', about: 'display help' },
    ];
  }
  const commands = Object.entries(at.commands).map(([word, { about }]) => ({ word, about }));
  const next = at.args[Math.min(given.length, Math.max(0, at.args.length - 1))];
  const args = next === undefined || given.length >= at.args.length ? [] : offers(next, names, deployment);
  return [...(given.length === 0 ? commands : []), ...args];
}

function optionOf(tree: CompletionTree, at: CompletionTree, flag: string) {
  return [...at.options, ...tree.options].find((option) => option.flag === flag);
}

function offers(value: Value, names: Names, deployment: string | undefined): Offer[] {
  const words = (all: readonly string[], about?: string): Offer[] =>
    all.map((word) => ({ word, ...(about === undefined ? {} : { about }) }));
  switch (value) {
    case 'deployments':
      return words(names.deployments(), 'deployment');
    case 'sites':
      return words(names.sites(deployment), 'site');
    case 'workers':
      return words(names.workers(), 'worker');
    case 'runs':
      return [...words(names.deployments(), 'its newest run'), ...words(names.runs(), 'run')];
    case 'sets':
      return words(['latest', ...names.sets(deployment)], 'set');
    // The shell knows files better.
    case 'files':
    case 'anything':
    case 'steps':
      return [];
    default:
      return words(value);
  }
}

/** As many as anybody reads through. */
const MOST_OFFERED = 30;

/** The names in a configuration file, whatever else may be wrong with it. */
export function namesIn(file: string): Names {
  let read: Record<string, Section> | undefined;
  const deployments = (): Record<string, Section> => {
    read ??= ((parse(text(file), { merge: true }) as Partial<{ deployments: unknown }> | null)?.deployments ??
      {}) as Record<string, Section>;
    return read;
  };
  const chosen = (name: string | undefined): [string, Section][] =>
    Object.entries(deployments()).filter(([each]) => name === undefined || each === name);
  const sites = (name: string | undefined): [string, Site][] =>
    chosen(name).flatMap(([, section]) => Object.entries(section?.sites ?? {}));
  const below = (name: string | undefined, ...path: string[]): string[] =>
    chosen(name).flatMap(([each, section]) => listed(join(section?.backup?.repository ?? '', each, ...path)));
  return {
    deployments: () => Object.keys(deployments()),
    sites: (name) => [...new Set(sites(name).map(([site]) => site))],
    workers: () => [
      ...new Set(
        sites(undefined).flatMap(([, site]) =>
          [site, site?.redis, site?.database, site?.dashboard, site?.pump, ...(site?.gateways ?? [])].flatMap(
            (part) => (typeof part?.worker === 'string' ? part.worker : []),
          ),
        ),
      ),
    ],
    runs: () => newest(below(undefined, 'runs').flatMap((name) => /^([^.]+)\.json$/.exec(name)?.[1] ?? [])),
    sets: (name) => newest(below(name).filter((each) => /^\d{8}T\d{6}Z/.test(each))),
  };
}

interface Part {
  readonly worker?: unknown;
}
type Site =
  | (Part & {
      readonly redis?: Part;
      readonly database?: Part;
      readonly dashboard?: Part;
      readonly pump?: Part;
      readonly gateways?: readonly Part[];
    })
  | undefined;
type Section =
  { readonly sites?: Record<string, Site>; readonly backup?: { readonly repository?: string } } | undefined;

const newest = (names: readonly string[]): string[] => [...names].sort().reverse().slice(0, MOST_OFFERED);

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const TREE = fileURLToPath(new URL('../completion-tree.json', import.meta.url));

/** Prints one offer a line, with a tab before what it means. Never fails: a shell has nowhere to show it. */
export function answerShell(words: readonly string[]): void {
  try {
    const tree = JSON.parse(readFileSync(TREE, 'utf8')) as CompletionTree;
    const named = words.indexOf('--config');
    const file =
      (named >= 0 ? words[named + 1] : undefined) ?? (process.env['TYK_DR_CONFIG'] || 'tyk-dr.yaml');
    const typed = words.at(-1) ?? '';
    const offered = complete(tree, words, namesIn(resolve(file))).filter(({ word }) =>
      word.startsWith(typed),
    );
    process.stdout.write(
      offered.map(({ word, about = '' }) => `${word}\t${about.split('\n')[0]}\n`).join(''),
    );
  } catch {
    // Nothing is offered.
  }
}
