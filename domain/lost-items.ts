import { momentOf, type MarkedStore } from './beacon.ts';

/**
 * What a recovery has lost, by name, as far as anything outside the stores still tells it. Pure. Keys are named by a
 * digest: where they are not hashed, their names are credentials.
 */

export interface LostItem {
  readonly store: MarkedStore;
  readonly kind: 'API' | 'policy' | 'key' | 'certificate' | 'OAuth client' | 'other';
  /** `used`: a client was let in with it, and it is not there any more. */
  readonly change: 'created' | 'changed' | 'deleted' | 'used';
  /** Id and, where it is known, name. */
  readonly name: string;
  /** When, UTC ISO; absent where only that it was before a set is known. */
  readonly at?: string;
  readonly by?: string;
  readonly source: 'audit trail' | 'config history' | 'analytics';
  /** In the very second of the recovered point: it may be there. */
  readonly perhaps?: true;
}

export interface LostItems {
  readonly items: readonly LostItem[];
  /** Found, and not listed. */
  readonly beyond: number;
  /** What was looked through, and how far it reaches. */
  readonly looked: readonly string[];
  /** What could not be named, and why. */
  readonly unnamed: readonly string[];
}

/** One write through the Dashboard, as it is kept outside: who, when, what; nothing of what was sent. */
export interface AuditEntry {
  /** UTC ISO, whole seconds. */
  readonly at: string;
  readonly user: string;
  /** As the Dashboard calls it. */
  readonly action: string;
  readonly method: string;
  /** Path alone, keys in it digested. */
  readonly path: string;
}

/** A key with which a client was let in after a moment, by the analytics. */
export interface UsedKey {
  /** As Redis names it behind `apikey-`. */
  readonly key: string;
  readonly alias: string;
  readonly api: string;
  /** UTC ISO. */
  readonly last: string;
}

/** A record is no place for thousands; so many are listed of one worker. */
const MOST_LISTED = 200;

export function listed(items: readonly LostItem[], rest: Omit<LostItems, 'items' | 'beyond'>): LostItems {
  return { items: items.slice(0, MOST_LISTED), beyond: Math.max(0, items.length - MOST_LISTED), ...rest };
}

export function mergeLostItems(parts: readonly LostItems[]): LostItems | undefined {
  if (parts.length === 0) return undefined;
  return {
    items: parts.flatMap(({ items }) => items),
    beyond: parts.reduce((sum, { beyond }) => sum + beyond, 0),
    looked: [...new Set(parts.flatMap(({ looked }) => looked))],
    unnamed: [...new Set(parts.flatMap(({ unnamed }) => unnamed))],
  };
}

const WRITES: Readonly<Record<string, LostItem['change']>> = {
  POST: 'created',
  PUT: 'changed',
  PATCH: 'changed',
  DELETE: 'deleted',
};

/** Signing in changes no definition. */
const NO_CHANGE = /^\/api\/(login|logout|ping)\b/;

/** A line of the Dashboard's audit log in JSON; undefined where it is no successful write. @param digest of a key */
export function auditEntry(line: unknown, digest: (key: string) => string): AuditEntry | undefined {
  if (typeof line !== 'object' || line === null) return undefined;
  const { method, url, status, user, action, timestamp, date } = line as Readonly<Record<string, unknown>>;
  const at = momentIn(timestamp) ?? momentIn(date);
  if (at === undefined || typeof method !== 'string' || typeof url !== 'string') return undefined;
  const verb = method.toUpperCase();
  if (!(verb in WRITES) || Number(status) < 200 || Number(status) >= 300) return undefined;
  const path = pathOf(url, digest);
  if (NO_CHANGE.test(path)) return undefined;
  return { at, user: shortText(user), action: shortText(action), method: verb, path };
}

/** Whether a line is one of the log's at all, of whatever request. */
export const isAuditLine = (line: unknown): boolean =>
  typeof line === 'object' && line !== null && 'method' in line && 'url' in line;

const SECOND_MS = 1000;

/** Unix seconds, or what a clock writes. */
function momentIn(value: unknown): string | undefined {
  const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  const ms =
    typeof number === 'number' ? number * (number > 1e11 ? 1 : SECOND_MS) : Date.parse(String(value ?? ''));
  if (!Number.isFinite(ms) || Math.abs(ms) > 8e15) return undefined;
  return momentOf(Math.floor(ms / SECOND_MS));
}

function shortText(value: unknown): string {
  const text =
    typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ').slice(0, 120);
}

/** `/api/apis/A/keys/K`, `/api/keys/K`: what follows `keys` is a key. */
function pathOf(url: string, digest: (key: string) => string): string {
  const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/s, '');
  const parts = path.split('/');
  return shortText(
    parts
      .map((part, index) =>
        part !== '' && index > 0 && parts[index - 1] === 'keys' && !KEY_COMMANDS.has(part)
          ? digest(part)
          : part,
      )
      .join('/'),
  );
}

const KEY_COMMANDS = new Set(['detailed', 'preview', 'create', 'policy']);

/** What a write was about, by its path. */
export function itemOf({ at, user, action, method, path }: AuditEntry): LostItem {
  const [, , ...rest] = path.split('/');
  const { kind, store, id } = subjectOf(rest);
  const what = id ?? (action || path);
  return {
    ...{ store, kind, at, change: WRITES[method] ?? 'changed', source: 'audit trail' },
    name: kind === 'other' ? `${method} ${path}${action === '' ? '' : ` (${action})`}` : what,
    ...(user === '' ? {} : { by: user }),
  };
}

function subjectOf(rest: readonly string[]): {
  readonly kind: LostItem['kind'];
  readonly store: MarkedStore;
  readonly id: string | undefined;
} {
  const after = (word: string): string | undefined => rest[rest.indexOf(word) + 1] || undefined;
  if (rest.includes('keys')) {
    const api = rest[0] === 'apis' ? rest[1] : undefined;
    const key = after('keys');
    return { kind: 'key', store: 'redis', id: key ?? (api === undefined ? undefined : `of API ${api}`) };
  }
  if (rest[0] === 'certs') return { kind: 'certificate', store: 'redis', id: rest[1] };
  if (rest.includes('oauth')) return { kind: 'OAuth client', store: 'redis', id: rest.at(-1) };
  if (rest.includes('policies')) return { kind: 'policy', store: 'database', id: after('policies') };
  if (rest[0] === 'apis')
    return { kind: 'API', store: 'database', id: rest[1] === 'oas' ? rest[2] : rest[1] };
  return { kind: 'other', store: 'database', id: undefined };
}

/** Writes after the recovered point of their store. @param points whole seconds; stores that are not named are left out */
export function auditLosses(
  entries: readonly AuditEntry[],
  points: Readonly<Partial<Record<MarkedStore, number>>>,
): LostItem[] {
  return entries.map(itemOf).flatMap((item): LostItem[] => {
    const point = points[item.store];
    if (point === undefined || item.at! < momentOf(point)) return [];
    return [item.at === momentOf(point) ? { ...item, perhaps: true } : item];
  });
}
