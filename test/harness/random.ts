import { Writable } from 'node:stream';

/** Numbers that come again with the same seed. */

export interface Random {
  /** From 0 up to, not including, 1. */
  fraction(): number;
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  many(count: number, limit: number): number[];
}

/** mulberry32: short, and good enough to choose places. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(fraction() * limit);
  return {
    fraction,
    below,
    pick: (items) => items[below(items.length)]!,
    many: (count, limit) => Array.from({ length: count }, () => below(limit)),
  };
}

/** A sink that keeps what it gets. */
export function bytesInto(): { sink: Writable; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  return { sink, bytes: () => Buffer.concat(chunks) };
}
