import { MARKED_STORES, mergeRuns, runsOf, type MarkedStore, type Run } from './beacon.ts';

/**
 * The journal as text: a file a day and writer, a line a second: the number, and behind each store's letter the
 * milliseconds from the number's own second to its acknowledgement. `1764340000 r3 d7`. Pure.
 */

const LETTER: Readonly<Record<MarkedStore, string>> = { redis: 'r', database: 'd' };
const STORE: Readonly<Record<string, MarkedStore>> = { r: 'redis', d: 'database' };

const SECOND_MS = 1000;
const LINE = /^(\d{1,11})((?: [rd]-?\d{1,12})+)$/;

/** One acknowledgement. */
export interface Ack {
  readonly number: number;
  readonly store: MarkedStore;
  readonly atMs: number;
}

/** Lines, each with its end; acknowledgements of one number share one. */
export function journalText(acks: readonly Ack[]): string {
  const lines = new Map<number, string>();
  for (const { number, store, atMs } of acks)
    lines.set(
      number,
      `${lines.get(number) ?? number} ${LETTER[store]}${Math.round(atMs - number * SECOND_MS)}`,
    );
  return [...lines.values()].map((line) => `${line}\n`).join('');
}

export interface ParsedJournal {
  readonly acks: Readonly<Record<MarkedStore, Map<number, number>>>;
  /** Lines that are none: damage. A last line without its end is what a killed writer leaves, and is not counted. */
  readonly damaged: number;
}

export function parseJournal(texts: readonly string[]): ParsedJournal {
  const acks = { redis: new Map<number, number>(), database: new Map<number, number>() };
  let damaged = 0;
  for (const text of texts) {
    const end = text.lastIndexOf('\n');
    for (const line of end < 0 ? [] : text.slice(0, end).split('\n')) {
      const parsed = LINE.exec(line);
      if (!parsed) {
        damaged += 1;
        continue;
      }
      const number = Number(parsed[1]);
      for (const part of parsed[2]!.trim().split(' ')) {
        const own = acks[STORE[part[0]!]!];
        const atMs = number * SECOND_MS + Number(part.slice(1));
        // Of two writers the first acknowledgement counts.
        own.set(number, Math.min(atMs, own.get(number) ?? Infinity));
      }
    }
  }
  return { acks, damaged };
}

/** A day that is over, as it is kept: by site and store the runs of its numbers. */
export interface DaySummary {
  readonly version: 1;
  readonly day: string;
  readonly sites: Readonly<Record<string, Readonly<Partial<Record<MarkedStore, readonly Run[]>>>>>;
  readonly damaged: number;
}

export function summaryOfDay(day: string, sites: ReadonlyMap<string, ParsedJournal>): DaySummary {
  return {
    version: 1,
    day,
    sites: Object.fromEntries(
      [...sites].map(([site, { acks }]) => [
        site,
        Object.fromEntries(MARKED_STORES.map((store) => [store, runsOf(acks[store].keys())])),
      ]),
    ),
    damaged: [...sites.values()].reduce((sum, { damaged }) => sum + damaged, 0),
  };
}

export function isDaySummary(value: unknown): value is DaySummary {
  const { version, sites } = (value ?? {}) as Partial<DaySummary>;
  return version === 1 && typeof sites === 'object';
}

/** What one place, or several together, say of one site's store. */
export interface StoreJournal {
  readonly runs: readonly Run[];
  /** Of the days that are not summarised yet. */
  readonly acks: ReadonlyMap<number, number>;
}

export function mergeStores(parts: readonly StoreJournal[]): StoreJournal {
  const acks = new Map<number, number>();
  for (const part of parts)
    for (const [number, atMs] of part.acks) acks.set(number, Math.min(atMs, acks.get(number) ?? Infinity));
  return { runs: mergeRuns(parts.map(({ runs }) => runs)), acks };
}
