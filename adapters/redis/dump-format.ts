import { createHash } from 'node:crypto';
import { DrError } from '../../domain/errors.ts';

/**
 * The file that `redis.method: commands` makes, big-endian throughout:
 *
 *     TYK-DR REDIS 1\n
 *     K, key length (4), key, expiry (8: Unix milliseconds, 0 never), payload length (4), payload as DUMP gave it
 *     ...
 *     E, number of keys (8), SHA-256 of everything before the E (32)
 *
 * A file without its end is cut, one whose digest differs was changed: neither is read as if it were whole.
 */

const HEADER = Buffer.from('TYK-DR REDIS 1\n', 'latin1');
const KEY = 'K'.charCodeAt(0);
const END = 'E'.charCodeAt(0);
const DIGEST_BYTES = 32;

export interface KeyRecord {
  readonly key: Buffer;
  /** Unix milliseconds; 0 where the key never expires. */
  readonly expiresAtMs: number;
  readonly payload: Buffer;
}

/** @param batches a few records at a time, so that memory does not grow with the data. */
export async function* encodeRecords(batches: AsyncIterable<readonly KeyRecord[]>): AsyncGenerator<Buffer> {
  const sha256 = createHash('sha256').update(HEADER);
  let count = 0;
  yield HEADER;
  for await (const batch of batches) {
    if (batch.length === 0) continue;
    const bytes = Buffer.concat(batch.flatMap(encode));
    sha256.update(bytes);
    count += batch.length;
    yield bytes;
  }
  const end = Buffer.alloc(9);
  end[0] = END;
  end.writeBigUInt64BE(BigInt(count), 1);
  yield Buffer.concat([end, sha256.digest()]);
}

function encode({ key, expiresAtMs, payload }: KeyRecord): Buffer[] {
  const head = Buffer.alloc(5);
  head[0] = KEY;
  head.writeUInt32BE(key.length, 1);
  const middle = Buffer.alloc(12);
  middle.writeBigUInt64BE(BigInt(expiresAtMs), 0);
  middle.writeUInt32BE(payload.length, 8);
  return [head, key, middle, payload];
}

/**
 * Reads it back, one record at a time.
 *
 * @throws DrError DATA_UNPROVEN where the file is cut, changed or something else; the records before that have been
 *   given out, so that nothing may be believed of a file that was not read to its end.
 */
export async function* decodeRecords(source: AsyncIterable<Buffer>): AsyncGenerator<KeyRecord> {
  const reader = new Reader(source);
  const header = await reader.take(HEADER.length, 'its header');
  if (!header.equals(HEADER))
    throw unproven('the header of format 1', JSON.stringify(header.toString('latin1')));
  let count = 0;
  for (;;) {
    const kind = (await reader.take(1, `its end, after ${count} keys`, false))[0]!;
    if (kind === END) break;
    if (kind !== KEY) throw unproven(`a record after ${count} keys`, `the byte ${kind}`);
    reader.digest.update(Buffer.from([kind]));
    const what = `the whole of key ${count + 1}`;
    const key = await reader.take((await reader.take(4, what)).readUInt32BE(), what);
    const middle = await reader.take(12, what);
    const payload = await reader.take(middle.readUInt32BE(8), what);
    count += 1;
    yield { key, expiresAtMs: Number(middle.readBigUInt64BE(0)), payload };
  }
  const end = await reader.take(8 + DIGEST_BYTES, 'its end', false);
  const counted = Number(end.readBigUInt64BE(0));
  if (counted !== count) throw unproven(`${counted} keys`, count);
  if (!reader.digest.digest().equals(end.subarray(8))) throw unproven('the digest of its end', 'another');
  if (await reader.more()) throw unproven('nothing behind its end', 'more bytes');
}

class Reader {
  readonly digest = createHash('sha256');
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** So many bytes; part of the digest unless they belong to the end. */
  async take(length: number, what: string, digested = true): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    for (;;) {
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      parts.push(part);
      if (missing === 0) break;
      const next = await this.#chunks.next();
      if (next.done) throw unproven(what, 'the file ends before');
      this.#rest = next.value;
    }
    const taken = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    if (digested) this.digest.update(taken);
    return taken;
  }

  async more(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#rest = next.value;
    }
    return true;
  }
}

/** The RDB version in a payload's last ten bytes: what a server must read to take the key. */
export function payloadVersion(payload: Buffer): number {
  return payload.length < 10 ? 0 : payload.readUInt16LE(payload.length - 10);
}

function unproven(expected: string, actual: string | number): DrError {
  return new DrError('DATA_UNPROVEN', { what: 'the keys of the backup', expected, actual });
}
