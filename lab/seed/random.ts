import { hash } from 'node:crypto';

/** Numbers that come again with the same seed. The seeded data must be the same on every machine. */

/** mulberry32: small, and good enough for test data. Numbers in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A stable id of hexadecimal digits, by name: Tyk's ids have 24 or 32. */
export function stableId(seed: number, name: string, digits: 24 | 32): string {
  return hash('sha256', `${seed}/${name}`).slice(0, digits);
}
