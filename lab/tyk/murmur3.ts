/** MurmurHash3 as a Gateway computes it: seed 0, hexadecimal, high byte first. */

const MASK_64 = (1n << 64n) - 1n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const BLOCK_BYTES = 16;

/** The x64 128-bit variant; its first 16 digits are what Tyk calls murmur64. */
export function murmur128(bytes: Buffer): string {
  let h1 = 0n;
  let h2 = 0n;
  const blocksEnd = bytes.length - (bytes.length % BLOCK_BYTES);
  for (let at = 0; at < blocksEnd; at += BLOCK_BYTES) {
    h1 ^= mixFirst(bytes.readBigUInt64LE(at));
    h1 = multiply(rotate(h1, 27n) + h2, 5n, 0x52dce729n);
    h2 ^= mixSecond(bytes.readBigUInt64LE(at + 8));
    h2 = multiply(rotate(h2, 31n) + h1, 5n, 0x38495ab5n);
  }
  const tail = Buffer.alloc(BLOCK_BYTES);
  bytes.copy(tail, 0, blocksEnd);
  const length = BigInt(bytes.length);
  h1 ^= mixFirst(tail.readBigUInt64LE(0)) ^ length;
  h2 ^= mixSecond(tail.readBigUInt64LE(8)) ^ length;
  h1 = (h1 + h2) & MASK_64;
  h2 = (h2 + h1) & MASK_64;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 = (h1 + h2) & MASK_64;
  h2 = (h2 + h1) & MASK_64;
  return hex64(h1) + hex64(h2);
}

/**
 * What Tyk calls murmur32 is the 32-bit state before its last bytes and its length go in: keys that differ only
 * in a last incomplete group of four characters share a hash.
 */
export function murmur32Unfinished(bytes: Buffer): string {
  let h = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    let k = Math.imul(bytes.readInt32LE(at), 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  return (h >>> 0).toString(16).padStart(8, '0');
}

function mixFirst(k: bigint): bigint {
  return (rotate((k * C1) & MASK_64, 31n) * C2) & MASK_64;
}

function mixSecond(k: bigint): bigint {
  return (rotate((k * C2) & MASK_64, 33n) * C1) & MASK_64;
}

function rotate(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK_64;
}

function multiply(value: bigint, factor: bigint, plus: bigint): bigint {
  return (value * factor + plus) & MASK_64;
}

function finish(value: bigint): bigint {
  let h = value;
  h = ((h ^ (h >> 33n)) * 0xff51afd7ed558ccdn) & MASK_64;
  h = ((h ^ (h >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK_64;
  return h ^ (h >> 33n);
}

function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
