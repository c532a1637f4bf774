/** The journal of acknowledged writes, read and compared with what a recovery brought back. Pure. */

export type Store = 'postgres' | 'redis';

/** One write that a store acknowledged. */
export interface JournalEntry {
  readonly store: Store;
  readonly seq: number;
  /** When the acknowledgement came, ISO 8601. */
  readonly at: string;
}

export interface Comparison {
  /** Null where nothing was acknowledged. */
  readonly lastAcknowledged: number | null;
  /** Null where nothing was recovered. */
  readonly lastRecovered: number | null;
  /** How many acknowledged writes are not there. */
  readonly lost: number;
  /** Those of them that are missing although a later one is there: no point in time explains that. */
  readonly holes: readonly number[];
}

/** Reads a journal. A last line without its end is what a killed writer leaves: it is left out. */
export function parseJournal(text: string): JournalEntry[] {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  return complete
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JournalEntry);
}

/**
 * Compares the numbers that one store acknowledged with those found in it after a recovery, each in any order. A
 * number that was recovered and never acknowledged is no fault: the answer may have been what got lost.
 */
export function compareJournal(acknowledged: readonly number[], recovered: readonly number[]): Comparison {
  const found = new Set(recovered);
  const missing = acknowledged.filter((seq) => !found.has(seq)).sort((a, b) => a - b);
  const lastRecovered = highest(recovered);
  return {
    lastAcknowledged: highest(acknowledged),
    lastRecovered,
    lost: missing.length,
    holes: missing.filter((seq) => lastRecovered !== null && seq < lastRecovered),
  };
}

function highest(numbers: readonly number[]): number | null {
  return numbers.reduce<number | null>((max, seq) => (max === null || seq > max ? seq : max), null);
}
