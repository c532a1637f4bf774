import { isObject, parseExactly, type Json } from './json.ts';
import { REFERENCE } from './secret-fields.ts';
import { describeApi, describePolicy, INDEX, type Index } from './versioned.ts';

/** What changed between the configurations of two sets, in words that name no secret. Pure. */

export interface ConfigChange {
  /** `apis`, `policies`, or the folder of a component: `gateway-gw1`. */
  readonly component: string;
  /** The name of an API or policy; the path of a file in its tree. */
  readonly name: string;
  /** Of an API or policy. */
  readonly id?: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What changed in it, where that can be said by field. */
  readonly fields?: readonly FieldChange[];
}

export interface FieldChange {
  readonly path: string;
  /** Absent where the field was not there. Secrets are shown as `[secret 5d414]`. */
  readonly old?: string;
  readonly new?: string;
}

/** Content by path below the deployment's folder; what is equal on both sides may be left out of both. */
export type Contents = ReadonlyMap<string, string>;

export function diffConfig(before: Contents, after: Contents): ConfigChange[] {
  const changes = [
    ...diffDefinitions('apis', before, after, describeApi),
    ...diffDefinitions('policies', before, after, describePolicy),
    ...diffFiles(before, after),
    ...diffIndex(before.get(INDEX), after.get(INDEX)),
  ];
  return changes.sort(
    (a, b) => order(a) - order(b) || compare(a.component, b.component) || compare(a.name, b.name),
  );
}

/** Definitions first. */
const order = ({ component }: ConfigChange): number =>
  component === 'apis' ? 0 : component === 'policies' ? 1 : 2;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** By id: a definition that was renamed is still the same one. */
function diffDefinitions(
  component: 'apis' | 'policies',
  before: Contents,
  after: Contents,
  describe: typeof describeApi,
): ConfigChange[] {
  const byId = (contents: Contents): Map<string, { name: string; document: Json }> =>
    new Map(
      [...contents].flatMap(([path, content]) => {
        const document = path.startsWith(`${component}/`) ? parseExactly(content) : undefined;
        if (document === undefined) return [];
        const { id, name } = describe(document);
        return [[id || path, { name: name || id || path, document }] as const];
      }),
    );
  const [old, now] = [byId(before), byId(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((id): ConfigChange[] => {
    const [was, is] = [old.get(id), now.get(id)];
    const what = { component, name: (is ?? was)!.name, id };
    if (!was || !is) return [{ ...what, change: was ? 'removed' : 'added' }];
    const fields = diffValues(was.document, is.document);
    return fields.length > 0 ? [{ ...what, change: 'changed', fields }] : [];
  });
}

function diffFiles(before: Contents, after: Contents): ConfigChange[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].flatMap((path): ConfigChange[] => {
    const [component, ...rest] = path.split('/');
    if (component === 'apis' || component === 'policies' || rest.length === 0) return [];
    const what = { component: component!, name: rest.join('/') };
    const [was, is] = [before.get(path), after.get(path)];
    if (was === is) return [];
    if (was === undefined || is === undefined)
      return [{ ...what, change: was === undefined ? 'added' : 'removed' }];
    return [{ ...what, change: 'changed', fields: diffTexts(what.name, was, is) }];
  });
}

/** What is withheld is told by its digest; of the others, only who may read them. */
function diffIndex(before: string | undefined, after: string | undefined): ConfigChange[] {
  const [old, now] = [before, after].map((text) => JSON.parse(text ?? '{}') as Index) as [Index, Index];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].flatMap((component) => {
    const [trees, tree] = [old[component] ?? {}, now[component] ?? {}];
    return [...new Set([...Object.keys(trees), ...Object.keys(tree)])].flatMap((name): ConfigChange[] => {
      const [was, is] = [trees[name], tree[name]];
      if (!was || !is) {
        const there = (was ?? is)!;
        // Files that are shown have been told of; links are files to git.
        const told = there.withheld === undefined && there.type !== 'folder';
        return told ? [] : [{ component, name, change: was ? 'removed' : 'added' }];
      }
      const fields = diffValues(was as unknown as Json, is as unknown as Json);
      return fields.length > 0 ? [{ component, name, change: 'changed', fields }] : [];
    });
  });
}

/** By field or by setting where the text has such. */
export function diffTexts(name: string, was: string, is: string): FieldChange[] {
  const [old, now] = [parseExactly(was), parseExactly(is)];
  if (typeof old === 'object' && typeof now === 'object') return diffValues(old, now);
  if (/\.(conf|ini|cnf|env|properties)$/.test(name)) return diffValues(settings(was), settings(is));
  const lines = (text: string): number => text.split('\n').length;
  return [{ path: 'text', old: `${lines(was)} lines`, new: `${lines(is)} lines` }];
}

/** `name value` and `name = value`, a line each; what stands there several times is a list. */
function settings(text: string): Json {
  const found: Record<string, string[]> = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*([^\s#=:]+)\s*[=:]?\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) (found[name] ??= []).push(value ?? '');
  }
  return Object.fromEntries(
    Object.entries(found).map(([name, values]) => [name, values.length === 1 ? values[0]! : values]),
  );
}

/** Every field that differs, by its path; lists of plain values are compared whole. */
export function diffValues(was: Json | undefined, is: Json | undefined, path = ''): FieldChange[] {
  if (JSON.stringify(was) === JSON.stringify(is)) return [];
  const inside = (key: string): string => (path === '' ? key : `${path}.${key}`);
  if (isObject(was) && isObject(is))
    return [...new Set([...Object.keys(was), ...Object.keys(is)])]
      .sort()
      .flatMap((key) => diffValues(was[key], is[key], inside(key)));
  if (Array.isArray(was) && Array.isArray(is) && [...was, ...is].some((item) => typeof item === 'object'))
    return Array.from({ length: Math.max(was.length, is.length) }, (_, at) =>
      diffValues(was[at], is[at], `${path}[${at}]`),
    ).flat();
  return [
    {
      path: path || 'the whole',
      ...(was === undefined ? {} : { old: shown(was) }),
      ...(is === undefined ? {} : { new: shown(is) }),
    },
  ];
}

/** The longest value that is shown whole. */
const LONGEST_SHOWN = 120;

function shown(value: Json): string {
  const text = JSON.stringify(value).replaceAll(
    new RegExp(REFERENCE.source, 'g'),
    (_, _name: string, fingerprint: string) => `[secret ${fingerprint.slice(0, 5)}]`,
  );
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`;
}
