import type { ApiDefinition, ApiListEntry } from '../tyk/api-definition.ts';
import type { Policy } from '../tyk/policy.ts';
import { log } from './log.ts';

/** Where a request goes: the API, and the prefix that is its listen path. */
export type Route = ApiListEntry;

const OBJECT_ID = /^(?:[0-9a-f]{24})?$/i;

/** What the Gateway serves right now. Replaced as a whole, so that a request sees one state. */
export class Registry {
  #apis = new Map<string, ApiListEntry>();
  #routes = new Map<string, ApiListEntry>();
  /** Distinct lengths of the routes, longest first: a lookup tries a handful of them, however many APIs. */
  #lengths: readonly number[] = [];
  #policies = new Map<string, Policy>();

  /** The API whose listen path is the longest that the path begins with. */
  route(path: string): ApiDefinition | undefined {
    for (const length of this.#lengths) {
      if (length > path.length) continue;
      const entry = this.#routes.get(path.slice(0, length));
      if (entry) return entry.api_definition;
    }
    return undefined;
  }

  api(apiId: string): ApiListEntry | undefined {
    return this.#apis.get(apiId);
  }

  apis(): readonly ApiListEntry[] {
    return [...this.#apis.values()];
  }

  policy(id: string): Policy | undefined {
    return this.#policies.get(id);
  }

  policies(): readonly Policy[] {
    return [...this.#policies.values()];
  }

  /**
   * Takes over a list of policies; an empty one leaves those that are loaded.
   *
   * @param knownBy the field that names a policy.
   * @throws Error where an `_id` is neither empty nor 24 hexadecimal digits; nothing is changed then.
   */
  replacePolicies(list: readonly Policy[], knownBy: '_id' | 'id'): void {
    for (const policy of list) requireObjectId(policy._id, 'policy');
    if (list.length === 0) return;
    const policies = list.map((policy) => {
      const id = (knownBy === 'id' && policy.id) || policy._id;
      return [id, { ...policy, id }] as const;
    });
    this.#policies = new Map(policies);
  }

  /**
   * Takes over a list of APIs; an empty one unloads all.
   *
   * @throws Error where an `id` is neither empty nor 24 hexadecimal digits; nothing is changed then.
   */
  replaceApis(list: readonly ApiListEntry[]): void {
    for (const entry of list) requireObjectId(entry.api_definition.id, 'API');
    const usable = list.filter(({ api_definition: { name, proxy } }) => {
      const valid = proxy.listen_path !== '' && !proxy.listen_path.includes(' ');
      if (!valid) log('error', `API ${name} is skipped: its listen path is not valid`);
      return valid;
    });
    const routes = new Map<string, ApiListEntry>();
    for (const entry of usable) routes.set(entry.api_definition.proxy.listen_path, entry);
    for (const entry of usable) {
      const byId = `/${entry.api_definition.api_id}/`;
      if (!routes.has(byId)) routes.set(byId, entry);
    }
    this.#apis = new Map(usable.map((entry) => [entry.api_definition.api_id, entry]));
    this.#routes = routes;
    this.#lengths = [...new Set([...routes.keys()].map((prefix) => prefix.length))].sort((a, b) => b - a);
  }
}

function requireObjectId(id: string | undefined, what: string): void {
  if (!OBJECT_ID.test(id ?? '')) throw new Error(`the list has a ${what} with the invalid id '${id}'`);
}
