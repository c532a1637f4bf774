import { hash } from 'node:crypto';

/**
 * BSON as bytes. Documents pass from a file to a server, and back, without ever being decoded: decoding would lose key
 * order, duplicate keys, the difference of 1 and 1.0, and types that JavaScript does not have.
 */

/** What a server takes at most is 16 MiB; its own oplog entries may be a little larger. */
const LARGEST_BYTES = (16 << 20) + (16 << 10);
const SMALLEST_BYTES = 5;
/** As deep as a server nests. */
const DEEPEST = 200;

/** Documents are handed on in batches: bounded in number and in size, and few enough calls to be quick. */
const BATCH_DOCUMENTS = 1_000;
const BATCH_BYTES = 4 << 20;

/** A BSON file that is not what it must be. */
export class BsonProblem extends Error {}

/**
 * Splits a stream of documents, one behind the other as mongodump writes them, into batches of raw documents.
 *
 * @throws BsonProblem that names the offset, at the first document that is no whole BSON.
 */
export async function* readBatches(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let batch: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 4) {
      const length = rest.readInt32LE(at);
      if (length < SMALLEST_BYTES || length > LARGEST_BYTES)
        throw new BsonProblem(`a document of ${length} bytes at byte ${offset + at}`);
      if (rest.length - at < length) break;
      const document = rest.subarray(at, at + length);
      const problem = documentProblem(document);
      if (problem !== undefined) throw new BsonProblem(`${problem} in the document at byte ${offset + at}`);
      batch.push(document);
      bytes += length;
      at += length;
      if (batch.length === BATCH_DOCUMENTS || bytes >= BATCH_BYTES) {
        yield batch;
        [batch, bytes] = [[], 0];
      }
    }
    offset += at;
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new BsonProblem(`it ends within the document at byte ${offset}`);
  if (batch.length > 0) yield batch;
}

/** Undefined for a whole document of known types, else what is wrong with it. Reads lengths, never values. */
export function documentProblem(document: Buffer): string | undefined {
  try {
    const end = walkDocument(document, 0, 0);
    return end === document.length ? undefined : `${document.length - end} bytes too many`;
  } catch (error) {
    if (error instanceof BsonProblem) return error.message;
    if (error instanceof RangeError) return 'a length leads outside';
    throw error;
  }
}

/** @returns where the document ends. */
function walkDocument(bytes: Buffer, start: number, depth: number): number {
  if (depth > DEEPEST) throw new BsonProblem(`more than ${DEEPEST} levels`);
  const end = start + bytes.readInt32LE(start);
  if (end > bytes.length || end < start + SMALLEST_BYTES || bytes[end - 1] !== 0)
    throw new BsonProblem(`no end of a document at ${start}`);
  let at = start + 4;
  while (at < end - 1) {
    const type = bytes[at]!;
    at = walkValue(bytes, type, cstring(bytes, at + 1, end), depth, end);
    if (at > end - 1) throw new BsonProblem(`a value of type ${type} leads outside`);
  }
  return end;
}

/** Types of a fixed size, in bytes. */
const SIZES: Readonly<Record<number, number>> = {
  0x01: 8, // double
  0x06: 0, // undefined
  0x07: 12, // object id
  0x08: 1, // boolean
  0x09: 8, // date
  0x0a: 0, // null
  0x10: 4, // int32
  0x11: 8, // timestamp
  0x12: 8, // int64
  0x13: 16, // decimal128
  0x7f: 0, // max key
  0xff: 0, // min key
};

function walkValue(bytes: Buffer, type: number, at: number, depth: number, end: number): number {
  const size = SIZES[type];
  if (size !== undefined) return at + size;
  switch (type) {
    case 0x02: // string
    case 0x0d: // code
    case 0x0e: // symbol
      return string(bytes, at);
    case 0x03: // document
    case 0x04: // array
      return walkDocument(bytes, at, depth + 1);
    case 0x05: // binary
      return at + 5 + length(bytes, at, 0);
    case 0x0b: // regular expression
      return cstring(bytes, cstring(bytes, at, end), end);
    case 0x0c: // pointer to a document of another collection
      return string(bytes, at) + 12;
    case 0x0f: // code with scope
      return codeWithScope(bytes, at, depth);
    default:
      throw new BsonProblem(`a value of unknown type ${type}`);
  }
}

function codeWithScope(bytes: Buffer, at: number, depth: number): number {
  const end = at + length(bytes, at, 14);
  if (walkDocument(bytes, string(bytes, at + 4), depth + 1) !== end)
    throw new BsonProblem(`code with scope of another length at ${at}`);
  return end;
}

function string(bytes: Buffer, at: number): number {
  const end = at + 4 + length(bytes, at, 1);
  if (bytes[end - 1] !== 0) throw new BsonProblem(`no end of a string at ${at}`);
  return end;
}

function length(bytes: Buffer, at: number, least: number): number {
  const found = bytes.readInt32LE(at);
  if (found < least) throw new BsonProblem(`a length of ${found} at ${at}`);
  return found;
}

/** @returns where what follows a name begins. */
function cstring(bytes: Buffer, at: number, end: number): number {
  const zero = bytes.indexOf(0, at);
  if (zero < 0 || zero >= end) throw new BsonProblem(`no end of a name at ${at}`);
  return zero + 1;
}

/** One field of a document. Names are told as latin-1, so that every name is its own and goes back as it was. */
export interface Field {
  readonly name: string;
  readonly type: number;
  readonly value: Buffer;
}

/** The types that hold fields. */
export const DOCUMENT = 0x03;
export const ARRAY = 0x04;

/** The fields of a whole document, in its order. @throws BsonProblem */
export function fieldsOf(document: Buffer): Field[] {
  const fields: Field[] = [];
  const last = document.length - 1;
  for (let at = 4; at < last;) {
    const type = document[at]!;
    const from = cstring(document, at + 1, document.length);
    const to = walkValue(document, type, from, 0, document.length);
    fields.push({
      name: document.toString('latin1', at + 1, from - 1),
      type,
      value: document.subarray(from, to),
    });
    at = to;
  }
  return fields;
}

export function fieldOf(document: Buffer, name: string): Field | undefined {
  return fieldsOf(document).find((field) => field.name === name);
}

/** The opposite of `fieldsOf`. */
export function documentOf(fields: readonly Field[]): Buffer {
  const parts: Buffer[] = [Buffer.alloc(4)];
  for (const { name, type, value } of fields)
    parts.push(Buffer.from([type]), Buffer.from(`${name}\0`, 'latin1'), value);
  parts.push(Buffer.from([0]));
  const document = Buffer.concat(parts);
  document.writeInt32LE(document.length, 0);
  return document;
}

/** Counts documents and sums them up, byte for byte and in any order: servers do not promise to keep one. */
export class DocumentsDigest {
  readonly #sum = new Uint8Array(32);
  documents = 0;
  bytes = 0;

  add(document: Uint8Array): void {
    this.#toggle(document);
    this.documents += 1;
    this.bytes += document.length;
  }

  /** Of a document that was added. */
  remove(document: Uint8Array): void {
    this.#toggle(document);
    this.documents -= 1;
    this.bytes -= document.length;
  }

  /** Documents of a collection differ, by their _id: none takes another out again, but for itself. */
  #toggle(document: Uint8Array): void {
    const digest = hash('sha256', document, 'buffer');
    for (let index = 0; index < 32; index += 1) this.#sum[index]! ^= digest[index]!;
  }

  digest(): string {
    return Buffer.from(this.#sum).toString('hex');
  }
}
