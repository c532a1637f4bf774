import type { Json } from './json.ts';
import { isObject, parseJson } from './json.ts';
import type { RelationFacts } from './manifest.ts';
import type { Definitions } from './versioned.ts';

/**
 * Whether what keys and policies name is there: every id in `access_rights` an API, every one in `apply_policies` a
 * policy. Pure, and no larger than the definitions, however many keys pass.
 */

/** What a session says of itself. */
export interface KeyRelations {
  readonly apis: readonly string[];
  readonly policies: readonly string[];
}

/** So many different ids that are missing are told apart; what is beyond is only counted. */
const MOST_IDS = 1_000;
/** So many are named, those with most keys first. */
const MOST_NAMED = 10;

export class Relations {
  readonly #apis: ReadonlySet<string>;
  readonly #policies: ReadonlySet<string>;
  readonly #missingApis = new Map<string, number>();
  readonly #missingPolicies = new Map<string, number>();
  readonly #danglingPolicies: number;
  #keys = 0;
  #danglingKeys = 0;
  #unreadable = 0;

  constructor({ apis, policies }: Definitions) {
    this.#apis = new Set(apis.map(apiId));
    this.#policies = new Set(policies.flatMap(policyIds));
    this.#danglingPolicies = policies.filter((policy) => {
      const names = isObject(policy) ? rightsOf(policy) : [];
      return this.#missing(this.#apis, names, this.#missingApis);
    }).length;
  }

  /** Undefined for a session that cannot be read: a Gateway refuses it. */
  add(key: KeyRelations | undefined): void {
    this.#keys += 1;
    if (!key) {
      this.#unreadable += 1;
      return;
    }
    const apis = this.#missing(this.#apis, key.apis, this.#missingApis);
    const policies = this.#missing(this.#policies, key.policies, this.#missingPolicies);
    if (apis || policies) this.#danglingKeys += 1;
  }

  facts(): RelationFacts {
    return {
      keys: this.#keys,
      apis: this.#apis.size,
      policies: this.#policies.size,
      danglingKeys: this.#danglingKeys,
      danglingPolicies: this.#danglingPolicies,
      unreadableKeys: this.#unreadable,
      missingApis: named(this.#missingApis),
      missingPolicies: named(this.#missingPolicies),
    };
  }

  #missing(known: ReadonlySet<string>, ids: readonly string[], counts: Map<string, number>): boolean {
    const missing = ids.filter((id) => !known.has(id));
    for (const id of missing)
      if (counts.has(id) || counts.size < MOST_IDS) counts.set(id, (counts.get(id) ?? 0) + 1);
    return missing.length > 0;
  }
}

/** The JSON of a session, as Redis has it. */
export function keyRelations(text: string): KeyRelations | undefined {
  try {
    const session = parseJson(text) as Json;
    if (!isObject(session)) return undefined;
    const policies = session['apply_policies'];
    // Before there could be several.
    const one = session['apply_policy_id'];
    return {
      apis: rightsOf(session),
      policies: [
        ...(Array.isArray(policies) ? policies.map(String) : []),
        ...(typeof one === 'string' && one !== '' ? [one] : []),
      ],
    };
  } catch {
    return undefined;
  }
}

/** In a few words; the ids are no secrets, the names of keys are. */
export function relationText(facts: RelationFacts): string {
  const { keys, danglingKeys, danglingPolicies, unreadableKeys, missingApis, missingPolicies } = facts;
  if (danglingKeys + danglingPolicies + unreadableKeys === 0)
    return `every API and policy that ${keys} keys name is there`;
  const list = (kind: string, ids: Readonly<Record<string, number>>): string[] =>
    Object.entries(ids).map(([id, count]) => `${kind} ${id} (${count})`);
  const missing = [...list('API', missingApis), ...list('policy', missingPolicies)];
  return [
    `${danglingKeys} of ${keys} keys and ${danglingPolicies} polic${danglingPolicies === 1 ? 'y' : 'ies'} name what is not there`,
    ...(missing.length > 0 ? [`: ${missing.join(', ')}`] : []),
    ...(unreadableKeys > 0 ? [`; ${unreadableKeys} keys cannot be read`] : []),
  ].join('');
}

function rightsOf(holder: { readonly [key: string]: Json }): string[] {
  const rights = holder['access_rights'];
  return isObject(rights) ? Object.keys(rights) : [];
}

function apiId(api: Json): string {
  const definition = isObject(api) && isObject(api['api_definition']) ? api['api_definition'] : api;
  return isObject(definition) ? String(definition['api_id'] ?? '') : '';
}

/** A policy is known by its own id, by that of its document, or by both. */
function policyIds(policy: Json): string[] {
  if (!isObject(policy)) return [];
  const document = policy['_id'];
  const hex = isObject(document) ? document['$oid'] : document;
  return [policy['id'], hex].filter((id): id is string => typeof id === 'string' && id !== '');
}

function named(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a).slice(0, MOST_NAMED));
}
