import fc from 'fast-check';
import { BSON } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { BsonProblem, documentProblem, DocumentsDigest, readBatches } from '../../adapters/mongodb/bson.ts';
import { dumpPath } from '../../adapters/mongodb/dump-path.ts';
import { parseMetadata, writeMetadata } from '../../adapters/mongodb/metadata.ts';

/** Raw BSON of every type, made here byte by byte: what passes through must come out bit by bit. */

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};
const cstring = (text: string): Buffer => Buffer.from(`${text}\0`);
const string = (text: string): Buffer => Buffer.concat([int32(Buffer.byteLength(text) + 1), cstring(text)]);
const name = fc.string({ maxLength: 6 }).map((text) => text.replaceAll('\0', ''));
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Buffer.from(value));

type Element = readonly [type: number, name: string, value: Buffer];

function document(elements: readonly Element[]): Buffer {
  const body = Buffer.concat(
    elements.map(([type, key, value]) => Buffer.concat([Buffer.from([type]), cstring(key), value])),
  );
  return Buffer.concat([int32(body.length + 5), body, Buffer.from([0])]);
}

const text = fc.string({ maxLength: 12, unit: 'grapheme' });
const fixed = (type: number, length: number) => bytes(length).map((value) => [type, value] as const);
const { document: documents } = fc.letrec<{ document: Buffer; value: readonly [number, Buffer] }>((tie) => ({
  // Names in any order, the same one twice, and numbers: JavaScript would sort or drop them.
  document: fc
    .array(fc.tuple(fc.oneof(name, fc.nat(9).map(String)), tie('value')), { maxLength: 5 })
    .map((elements) => document(elements.map(([key, [type, value]]) => [type, key, value]))),
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fixed(0x01, 8), // double: every bit pattern, NaNs with a payload and minus zero among them
    text.map((value) => [0x02, string(value)] as const),
    fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 20 })).map(([subtype, value]) => {
      const plain = subtype === 2 ? Buffer.concat([int32(value.length), value]) : Buffer.from(value);
      return [0x05, Buffer.concat([int32(plain.length), Buffer.from([subtype]), plain])] as const;
    }),
    fixed(0x06, 0), // undefined
    fixed(0x07, 12), // object id
    fc.boolean().map((value) => [0x08, Buffer.from([value ? 1 : 0])] as const),
    fixed(0x09, 8), // dates, those before 1970 among them
    fixed(0x0a, 0), // null
    fc
      .tuple(name, fc.constantFrom('', 'i', 'imx'))
      .map(([pattern, flags]) => [0x0b, Buffer.concat([cstring(pattern), cstring(flags)])] as const),
    fc
      .tuple(text, bytes(12))
      .map(([collection, id]) => [0x0c, Buffer.concat([string(collection), id])] as const),
    text.map((value) => [0x0d, string(value)] as const), // code
    text.map((value) => [0x0e, string(value)] as const), // symbol
    fc.tuple(text, tie('document')).map(([code, scope]) => {
      const inner = Buffer.concat([string(code), scope]);
      return [0x0f, Buffer.concat([int32(inner.length + 4), inner])] as const;
    }),
    fixed(0x10, 4), // int32
    fixed(0x11, 8), // timestamp
    fixed(0x12, 8), // int64
    fixed(0x13, 16), // decimal128
    fixed(0x7f, 0),
    fixed(0xff, 0),
    tie('document').map((value) => [0x03, value] as const),
    fc
      .array(tie('value'), { maxLength: 3 })
      .map(
        (items) =>
          [0x04, document(items.map(([type, value], index) => [type, String(index), value]))] as const,
      ),
  ),
}));

async function* inPieces(whole: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < whole.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    yield whole.subarray(at, at + size);
    at += size;
  }
}

async function read(source: AsyncIterable<Uint8Array>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const batch of readBatches(source)) all.push(...batch);
  return all;
}

const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });

describe('a file of documents', () => {
  test('comes out bit by bit, whatever its types and however it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(documents, { maxLength: 6 }), pieces, async (made, sizes) => {
        const found = await read(inPieces(Buffer.concat(made), sizes));
        expect(found.map((each) => each.toString('hex'))).toEqual(made.map((each) => each.toString('hex')));
      }),
      { numRuns: 300 },
    );
  });

  test('the documents of this test are BSON to the driver as well', () => {
    fc.assert(
      fc.property(documents, (made) => {
        BSON.deserialize(made, { promoteValues: false, bsonRegExp: true, validation: { utf8: false } });
      }),
      { numRuns: 300 },
    );
  });

  test('is refused when it is cut anywhere but behind a document', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(documents, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (made, share) => {
          const whole = Buffer.concat(made);
          const ends = made.map((_, index) => Buffer.concat(made.slice(0, index)).length);
          const at = Math.floor(share * (whole.length - 1));
          fc.pre(!ends.includes(at));
          await expect(read(inPieces(whole.subarray(0, at), [7]))).rejects.toThrow(BsonProblem);
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a length of nothing', Buffer.from('0000000000', 'hex'), 'a document of 0 bytes at byte 0'],
    ['a length beyond all servers', int32(0x7fffffff), 'a document of 2147483647 bytes'],
    ['an unknown type', document([[0x33, 'a', Buffer.alloc(0)]]), 'a value of unknown type 51'],
    [
      'a string without its end',
      document([[0x02, 'a', Buffer.concat([int32(2), Buffer.from('xy')])]]),
      'no end of a string',
    ],
    ['a string beyond the document', document([[0x02, 'a', int32(999)]]), 'no end of a string'],
    [
      'a value beyond the document',
      document([[0x01, 'a', Buffer.alloc(3)]]),
      'a value of type 1 leads outside',
    ],
  ])('%s is no document', async (_what, broken, reason) => {
    await expect(read(inPieces(broken, [99]))).rejects.toThrow(reason);
  });

  test('documents of a server’s depth are read, and no deeper ones', () => {
    const nested = (levels: number): Buffer =>
      levels === 0 ? document([]) : document([[0x03, 'a', nested(levels - 1)]]);
    expect(documentProblem(nested(180))).toBeUndefined();
    expect(documentProblem(nested(5_000))).toContain('levels');
  });
});

test('a digest is the same in any order and tells one changed bit', () => {
  const digestOf = (all: readonly Buffer[]): string => {
    const digest = new DocumentsDigest();
    for (const each of all) digest.add(each);
    return digest.digest();
  };
  fc.assert(
    fc.property(
      fc.uniqueArray(documents, { minLength: 2, maxLength: 6, selector: (each) => each.toString('hex') }),
      fc.nat(),
      (made, bit) => {
        expect(digestOf(made.toReversed())).toBe(digestOf(made));
        const changed = made.map((each) => Buffer.from(each));
        const at = bit % (changed[0]!.length * 8);
        changed[0]![at >> 3]! ^= 1 << (at & 7);
        expect(digestOf(changed)).not.toBe(digestOf(made));
      },
    ),
  );
});

describe('metadata', () => {
  test('keeps options and indexes with their types and the order of their keys', () => {
    const options = {
      capped: true,
      size: BSON.Long.fromNumber(1 << 20),
      validator: { $jsonSchema: { required: ['b', 'a'], properties: { p: { bsonType: 'decimal' } } } },
      collation: { locale: 'de', strength: new BSON.Int32(2) },
    };
    const indexes = [
      {
        v: new BSON.Int32(2),
        key: { z: new BSON.Int32(1), a: new BSON.Int32(-1) },
        name: 'z_1_a_-1',
        unique: true,
      },
      {
        v: new BSON.Int32(2),
        key: { at: new BSON.Double(1) },
        name: 'at_1',
        expireAfterSeconds: BSON.Long.fromNumber(60),
      },
      {
        v: new BSON.Int32(2),
        key: { r: new BSON.Int32(1) },
        name: 'r_1',
        partialFilterExpression: { r: new BSON.BSONRegExp('^x', 'i') },
      },
    ];
    const metadata = { name: 'odd/name', type: 'collection', options, indexes, uuid: 'ab' } as const;
    const read = parseMetadata(writeMetadata(metadata), 'another name')!;
    expect(BSON.serialize(read)).toEqual(BSON.serialize(metadata));
  });

  test.each(['', 'null', '[]', '{"options": 3}', '{"indexes": [{"name": "x"}]}', '{"type": "thing"}'])(
    '%j is none',
    (wrong) => expect(parseMetadata(wrong, 'x')).toBeUndefined(),
  );
});

test.each([
  ['tyk_apis', 'db/tyk_apis'],
  ['odd/na me:%', 'db/odd%2Fna%20me%3A%25'],
  ["it's (one)*", 'db/it%27s%20%28one%29%2A'],
  ['$a&b+c=d@e', 'db/$a&b+c=d@e'],
])('the file of %s is named as mongodump names it', (collection, path) => {
  expect(dumpPath('db', collection)).toBe(path);
});

test('a name too long for a file is cut and told apart by a digest', () => {
  const [one, other] = ['x', 'y'].map((last) => dumpPath('db', 'n'.repeat(300) + last));
  expect(one).not.toBe(other);
  expect(one!.length).toBeLessThanOrEqual('db/'.length + 238);
});
