import type { DatabaseBackup } from './manifest.ts';

/**
 * Which backup sets are kept. Pure: the same sets and rules always give the same answer, and it is shown before
 * anything is deleted. The names of the rules are those that operators know from other backup tools.
 */

export interface KeepRules {
  /** The newest so many. */
  readonly last: number;
  /** The newest set of each of the last so many days, weeks, months, years that have one. UTC; weeks as ISO 8601. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  /** So many verified sets stay whatever the other rules say: without a proven one there is no backup. */
  readonly verified: number;
  /** Of each older set the newest so many snapshots of each kind; the newest set has all of its own. */
  readonly snapshots: number;
}

export interface KeptSnapshot {
  readonly set: string;
  readonly kind: string;
  readonly belongsTo: string;
  readonly createdAt: string;
  readonly verified: boolean;
}

export interface KeptSet {
  readonly set: string;
  /** UTC ISO. */
  readonly createdAt: string;
  readonly verified: boolean;
  /** Why nobody may delete it; absent where nobody has said so. */
  readonly hold?: string;
  /** Sets whose database backup this one builds on: they must stay as long as it does. */
  readonly parents: readonly string[];
  /** The set whose content this one holds, sealed for other recipients. */
  readonly rewrapOf?: string;
}

export interface Verdict {
  readonly set: string;
  /** Of a snapshot. */
  readonly belongsTo?: string;
  readonly keep: boolean;
  /** Why it is kept; empty where it is not. */
  readonly reasons: readonly string[];
}

/** @returns a verdict for each set, newest first. */
export function retention(sets: readonly KeptSet[], rules: Omit<KeepRules, 'snapshots'>): Verdict[] {
  const newestFirst = [...sets].sort((a, b) => compare(b, a));
  const reasons = new Map<string, string[]>(newestFirst.map(({ set }) => [set, []]));
  const keep = (set: string, reason: string): void => void reasons.get(set)?.push(reason);
  // What was sealed anew counts once: the rules see what took its place.
  const counted = newestFirst.filter((set) => !isReplaced(set, sets));

  for (const [index, { set }] of counted.slice(0, rules.last).entries()) keep(set, `last ${index + 1}`);
  for (const { name, count, period } of periodsOf(rules)) {
    for (const [key, set] of [...newestOfEach(counted, period)].slice(0, count)) keep(set, `${name} ${key}`);
  }
  const proven = counted.filter(({ verified }) => verified).slice(0, rules.verified);
  for (const { set } of proven) keep(set, 'one of the newest verified');
  for (const { set, hold } of newestFirst) if (hold !== undefined) keep(set, `held: ${hold}`);
  // Newest first: a parent is older than its child, so its own parents are reached after it.
  for (const { set, parents } of newestFirst) {
    if (reasons.get(set)!.length === 0) continue;
    for (const parent of parents) if (reasons.get(parent)?.length === 0) keep(parent, `parent of ${set}`);
  }
  return newestFirst.map(({ set }) => {
    const why = reasons.get(set)!;
    return { set, keep: why.length > 0, reasons: why };
  });
}

/**
 * Snapshots live and die with their set, and never count as one. Of the newest set all stay: damage may be noticed
 * hours after it, and each of them is a moment before. Of older sets the newest few, and the newest verified one of
 * each kind.
 *
 * @param sets the verdicts over the sets that they belong to.
 * @returns a verdict for each snapshot, newest first.
 */
export function snapshotRetention(
  snapshots: readonly KeptSnapshot[],
  sets: readonly Verdict[],
  { snapshots: count }: Pick<KeepRules, 'snapshots'>,
): Verdict[] {
  const newestFirst = [...snapshots].sort((a, b) => compare(b, a));
  const reasonOf = (snapshot: KeptSnapshot): string[] => {
    const set = sets.find((verdict) => verdict.set === snapshot.belongsTo);
    if (!set?.keep) return [];
    if (set.set === sets[0]!.set) return [`of the newest set ${set.set}`];
    const alike = newestFirst.filter(
      ({ kind, belongsTo }) => kind === snapshot.kind && belongsTo === snapshot.belongsTo,
    );
    const place = alike.indexOf(snapshot);
    if (place < count) return [`last ${place + 1} of ${set.set}`];
    return alike.find(({ verified }) => verified) === snapshot && count > 0
      ? [`newest verified of ${set.set}`]
      : [];
  };
  return newestFirst.map((snapshot) => {
    const reasons = reasonOf(snapshot);
    const { set, belongsTo } = snapshot;
    return { set, belongsTo, keep: reasons.length > 0, reasons };
  });
}

/** Whether another set has its content for the present recipients, and is no less proven. */
function isReplaced(set: KeptSet, all: readonly KeptSet[]): boolean {
  return all.some((other) => other.rewrapOf === set.set && (other.verified || !set.verified));
}

/** An incremental database backup builds on the full one of its chain, and may build on any between the two. */
export function withParents(
  sets: readonly (KeptSet & { readonly database?: DatabaseBackup | undefined })[],
): KeptSet[] {
  const chain = (database: DatabaseBackup | undefined): string | undefined =>
    database?.method === 'pgbackrest' ? `${database.generation}/${database.label.split('_')[0]}` : undefined;
  return sets.map(({ database, ...set }) => ({
    ...set,
    parents: sets
      .filter(
        (other) =>
          chain(database) !== undefined &&
          chain(other.database) === chain(database) &&
          other.createdAt < set.createdAt &&
          !isReplaced(other, sets),
      )
      .map((other) => other.set),
  }));
}

interface Period {
  readonly name: string;
  readonly count: number;
  readonly period: (createdAt: Date) => string;
}

function periodsOf(rules: Omit<KeepRules, 'snapshots' | 'last' | 'verified'>): Period[] {
  return [
    { name: 'daily', count: rules.daily, period: (at) => at.toISOString().slice(0, 10) },
    { name: 'weekly', count: rules.weekly, period: isoWeek },
    { name: 'monthly', count: rules.monthly, period: (at) => at.toISOString().slice(0, 7) },
    { name: 'yearly', count: rules.yearly, period: (at) => at.toISOString().slice(0, 4) },
  ];
}

function newestOfEach(newestFirst: readonly KeptSet[], period: Period['period']): Map<string, string> {
  const found = new Map<string, string>();
  for (const { set, createdAt } of newestFirst) {
    const key = period(new Date(createdAt));
    if (!found.has(key)) found.set(key, set);
  }
  return found;
}

const DAY_MS = 86_400_000;

/** `2026-W53`: the week belongs to the year of its Thursday. */
function isoWeek(at: Date): string {
  const midnight = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate());
  const weekday = (at.getUTCDay() + 6) % 7;
  const thursday = new Date(midnight + (3 - weekday) * DAY_MS);
  const firstDay = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = 1 + Math.floor((thursday.getTime() - firstDay) / (7 * DAY_MS));
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}

function compare(a: Pick<KeptSet, 'set' | 'createdAt'>, b: Pick<KeptSet, 'set' | 'createdAt'>): number {
  return a.createdAt === b.createdAt ? a.set.localeCompare(b.set) : a.createdAt < b.createdAt ? -1 : 1;
}
