import type { MarkedStore } from './beacon.ts';

/**
 * What the stores of a site had that was given up, and those of the site that took over have not: clients had been told
 * that it was taken. Found by comparing the old data with the new ones. Pure.
 */

export interface AbandonedItem {
  readonly store: MarkedStore;
  /** `API`, `policy`, `key`; else the table, or what the keys of Redis begin with. */
  readonly kind: string;
  /** Id and, where there is one, name; of keys a digest, as their names may be credentials. */
  readonly name: string;
  /** `differs`: it is at both, and not the same; which of them is newer nobody can tell. */
  readonly change: 'only there' | 'differs';
}

export interface Abandoned {
  /** Where the old data are kept. */
  readonly kept: readonly string[];
  readonly items: readonly AbandonedItem[];
  /** Found, and not listed. */
  readonly beyond: number;
  readonly unnamed: readonly string[];
}

/** What people have made by hand comes first, and is not crowded out by what programs write. */
const FIRST: readonly string[] = ['rollback file', 'API', 'policy', 'key'];

const rankOf = ({ kind }: AbandonedItem): number => FIRST.indexOf(kind) + 1 || FIRST.length + 1;

/** A record is no place for thousands. */
const MOST_LISTED = 200;

/** As much of them as a record has room for; undefined where there are none. */
export function mergeAbandoned(parts: readonly Abandoned[]): Abandoned | undefined {
  if (parts.length === 0) return undefined;
  const items = parts.flatMap((part) => part.items).toSorted((a, b) => rankOf(a) - rankOf(b));
  return {
    kept: parts.flatMap(({ kept }) => kept),
    items: items.slice(0, MOST_LISTED),
    beyond: parts.reduce((sum, { beyond }) => sum + beyond, Math.max(0, items.length - MOST_LISTED)),
    unnamed: [...new Set(parts.flatMap(({ unnamed }) => unnamed))],
  };
}

export const countAbandoned = ({ items, beyond }: Abandoned): number => items.length + beyond;

/** A row or a definition by its id, with a digest of what is in it. */
export interface Fingerprint {
  readonly name: string;
  readonly digest: string;
}

/** What was deleted there cannot be told from what was made here since. */
export function abandonedOf(
  of: Pick<AbandonedItem, 'store' | 'kind'>,
  old: ReadonlyMap<string, Fingerprint>,
  now: ReadonlyMap<string, Fingerprint>,
): AbandonedItem[] {
  return [...old].flatMap(([id, { name, digest }]): AbandonedItem[] => {
    const here = now.get(id);
    if (here?.digest === digest) return [];
    return [{ ...of, name, change: here === undefined ? 'only there' : 'differs' }];
  });
}
