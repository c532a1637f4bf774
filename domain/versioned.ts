import { canonicalJson, isObject, type Json } from './json.ts';

/** What of a set is kept in the git repository: text, in files with stable names. Pure. */

export interface VersionedFile {
  /** Below the deployment's folder: `gateway-gw1/tyk.conf`, `apis/orders-4f2a.json`. */
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'link';
  readonly content: string;
}

/** Every entry of every tree, those that are left out included: what a folder of git cannot say. */
export const INDEX = 'files.json';

export interface IndexEntry {
  readonly type: 'file' | 'folder' | 'link';
  /** `0640` */
  readonly mode: string;
  /** `uid:gid` */
  readonly owner: string;
  /** Why its content is not here; then its size and digest are. */
  readonly withheld?: 'binary' | 'large' | 'private key';
  readonly bytes?: number;
  readonly sha256?: string;
}

/** By component, then by path in its tree. */
export type Index = Readonly<Record<string, Readonly<Record<string, IndexEntry>>>>;

/** Definitions as the Dashboard's database has them. */
export interface Definitions {
  readonly apis: readonly Json[];
  readonly policies: readonly Json[];
}

/** One file a definition; named by slug and id, so that it keeps its name while its content changes. */
export function definitionFiles({ apis, policies }: Definitions): VersionedFile[] {
  return [
    ...apis.map((api) => definitionFile('apis', api, describeApi(api))),
    ...policies.map((policy) => definitionFile('policies', policy, describePolicy(policy))),
  ];
}

export interface Described {
  readonly id: string;
  readonly name: string;
  readonly slug?: string;
}

export function describeApi(document: Json | undefined): Described {
  const api = field(document, 'api_definition') ?? document;
  return {
    id: text(field(api, 'api_id')) || text(field(document, 'api_id')) || text(field(api, 'id')),
    name: text(field(api, 'name')) || text(field(document, 'name')),
    slug: text(field(api, 'slug')),
  };
}

/** Empty where it says none. */
export function organisationOf(document: Json | undefined): string {
  return text(field(field(document, 'api_definition') ?? document, 'org_id'));
}

/** `/` where it says none. */
export function listenPathOf(document: Json | undefined): string {
  const api = field(document, 'api_definition') ?? document;
  return text(field(field(api, 'proxy'), 'listen_path')) || '/';
}

export function describePolicy(document: Json | undefined): Described {
  return {
    id: text(field(document, 'id')) || text(field(document, '_id')),
    name: text(field(document, 'name')),
  };
}

function definitionFile(folder: string, document: Json, { id, name, slug }: Described): VersionedFile {
  const word = (slug && slug !== id ? slug : name)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  const stem = [word, id.replaceAll(/[^\w.-]/g, '_')].filter(Boolean).join('-') || 'unnamed';
  return { path: `${folder}/${stem}.json`, kind: 'file', content: `${canonicalJson(document)}\n` };
}

function field(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) ? value[name] : undefined;
}

/** MongoDB's own ids are `{$oid: '...'}`. */
function text(value: Json | undefined): string {
  if (isObject(value)) return text(value['$oid']);
  return typeof value === 'string' ? value : '';
}
