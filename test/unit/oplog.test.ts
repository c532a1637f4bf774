import fc from 'fast-check';
import { BSON, type Document } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { documentOf, fieldsOf } from '../../adapters/mongodb/bson.ts';
import { changesOf } from '../../adapters/mongodb/oplog.ts';
import { updated } from '../../adapters/mongodb/update.ts';

const { Timestamp, Int32, Long } = BSON;
const raw = (value: Document): Buffer => Buffer.from(BSON.serialize(value));
const plain = (bytes: Buffer): Document => BSON.deserialize(bytes);
const after = (document: Document, update: Document): Document => plain(updated(raw(document), raw(update)));

describe('an update of a log, on raw BSON', () => {
  // What MongoDB writes into its log for these changes, by the specification of its delta format.
  test.each<[string, Document, Document, Document]>([
    ['replaces', { _id: 1, a: 1 }, { _id: 1, b: 2 }, { _id: 1, b: 2 }],
    ['replaces, the id being elsewhere', { _id: 1, a: 1 }, { b: 2 }, { _id: 1, b: 2 }],
    [
      'sets and takes away',
      { _id: 1, a: 1, b: 1 },
      { $v: 1, $set: { b: 2, c: 3 }, $unset: { a: true } },
      { _id: 1, b: 2, c: 3 },
    ],
    ['leaves the id', { _id: 1, a: 1 }, { $v: 1, $set: { _id: 1, a: 2 } }, { _id: 1, a: 2 }],
    [
      'sets by a path',
      { _id: 1, a: { b: [1, 2] } },
      { $set: { 'a.b.1': 9, 'a.c.d': 1 } },
      { _id: 1, a: { b: [1, 9], c: { d: 1 } } },
    ],
    [
      'sets beyond the end of an array',
      { _id: 1, a: [1] },
      { $set: { 'a.3': 4 } },
      { _id: 1, a: [1, null, null, 4] },
    ],
    ['takes an element away', { _id: 1, a: [1, 2] }, { $unset: { 'a.0': true } }, { _id: 1, a: [null, 2] }],
    [
      'by a diff',
      { _id: 1, a: 1, b: 1, c: 1 },
      { $v: 2, diff: { d: { a: false }, u: { b: 2 }, i: { z: 1 } } },
      { _id: 1, b: 2, c: 1, z: 1 },
    ],
    [
      'by a diff inside',
      { _id: 1, a: { b: { c: 1, d: 1 } } },
      { $v: 2, diff: { sa: { sb: { u: { c: 2 } } } } },
      { _id: 1, a: { b: { c: 2, d: 1 } } },
    ],
    [
      'by a diff of an array',
      { _id: 1, a: [1, { x: 1 }, 3, 4] },
      { $v: 2, diff: { sa: { a: true, l: new Int32(3), u0: 9, s1: { u: { x: 2 } } } } },
      { _id: 1, a: [9, { x: 2 }, 3] },
    ],
    [
      'by a diff, a field whose name begins with s',
      { _id: 1, ss: { s: 1 } },
      { $v: 2, diff: { sss: { u: { s: 2 } } } },
      { _id: 1, ss: { s: 2 } },
    ],
    [
      'by a diff of what is something else by now',
      { _id: 1, a: 5 },
      { $v: 2, diff: { sa: { u: { b: 1 } } } },
      { _id: 1, a: 5 },
    ],
  ])('%s', (_name, document, update, expected) => {
    expect(after(document, update)).toEqual(expected);
    expect(Object.keys(after(document, update))).toEqual(Object.keys(expected));
  });

  test('by a diff, what is inserted goes to the end though it was there: as the server does it', () => {
    expect(Object.keys(after({ _id: 1, a: 1, b: 1 }, { $v: 2, diff: { i: { a: 2 } } }))).toEqual([
      '_id',
      'b',
      'a',
    ]);
  });

  test.each([{ $v: 2, diff: { b: {} } }, { $inc: { a: 1 } }, { $v: 2, diff: { sa: { a: true, x1: 1 } } }])(
    'of another kind is refused: %j',
    (update) => expect(() => after({ _id: 1, a: [1] }, update)).toThrow(/by /),
  );

  const keys = fc.constantFrom('a', 'b', 'c', 'd');
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.integer(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(keys, tie('value'), { maxKeys: 3 }),
    ),
  }));
  const documents = fc.dictionary(keys, value, { maxKeys: 4 });

  /** As the server makes it: the smallest that leads from one to the other. */
  function diffOf(from: Document, to: Document): Document {
    const diff: Document = {};
    for (const [key, old] of Object.entries(from)) {
      const now = to[key] as unknown;
      if (!(key in to)) ((diff['d'] ??= {}) as Document)[key] = false;
      else if (isDocument(old) && isDocument(now)) diff[`s${key}`] = diffOf(old, now);
      else if (Array.isArray(old) && Array.isArray(now)) diff[`s${key}`] = arrayDiffOf(old, now);
      else if (JSON.stringify(old) !== JSON.stringify(now)) ((diff['u'] ??= {}) as Document)[key] = now;
    }
    for (const [key, now] of Object.entries(to) as [string, unknown][])
      if (!(key in from)) ((diff['i'] ??= {}) as Document)[key] = now;
    return diff;
  }
  function arrayDiffOf(from: readonly unknown[], to: readonly unknown[]): Document {
    const diff: Document = { a: true };
    if (to.length < from.length) diff['l'] = new Int32(to.length);
    to.forEach((now, index) => {
      const old = from[index];
      if (isDocument(old) && isDocument(now)) diff[`s${index}`] = diffOf(old, now);
      else if (JSON.stringify(old) !== JSON.stringify(now)) diff[`u${index}`] = now;
    });
    return diff;
  }
  const isDocument = (one: unknown): one is Document =>
    typeof one === 'object' && one !== null && !Array.isArray(one);

  test('a diff between any two documents leads from one to the other, and doing it again changes nothing', () => {
    fc.assert(
      fc.property(documents, documents, (from, to) => {
        const update = raw({ $v: 2, diff: diffOf(from, to) });
        const once = updated(raw({ _id: 1, ...from }), update);
        expect(plain(once)).toEqual(plain(raw({ _id: 1, ...to })));
        expect(updated(once, update)).toEqual(once);
      }),
      { numRuns: 500 },
    );
  });

  test('a document goes through its fields bit by bit', () => {
    fc.assert(
      fc.property(documents, (made) => {
        const bytes = raw(made);
        expect(documentOf(fieldsOf(bytes))).toEqual(bytes);
      }),
    );
  });
});

describe('an entry of a log', () => {
  const entry = (more: Document): Buffer =>
    raw({ ts: new Timestamp({ t: 1_700_000_000, i: 1 }), v: 2, ...more });
  const of = (more: Document): unknown[] =>
    changesOf(entry(more), 'tyk').map(({ collection, kind }) => `${kind} ${collection}`);

  test.each<[Document, string[]]>([
    [{ op: 'i', ns: 'tyk.apis', o: { _id: 1 } }, ['insert apis']],
    [{ op: 'u', ns: 'tyk.apis', o: { $v: 2, diff: {} }, o2: { _id: 1 } }, ['update apis']],
    [{ op: 'd', ns: 'tyk.apis', o: { _id: 1 } }, ['delete apis']],
    [{ op: 'n', ns: '', o: { msg: 'periodic noop' } }, []],
    [{ op: 'i', ns: 'tyk2.apis', o: { _id: 1 } }, []],
    [{ op: 'i', ns: 'tyk.a.b', o: { _id: 1 } }, ['insert a.b']],
    [{ op: 'i', ns: 'tyk.tyk-dr-steps', o: { _id: 1 } }, []],
    [
      { op: 'c', ns: 'tyk.$cmd', o: { create: 'new', capped: true, size: Long.fromNumber(4096) } },
      ['create new'],
    ],
    [
      { op: 'c', ns: 'tyk.$cmd', o: { createIndexes: 'apis', v: 2, key: { a: 1 }, name: 'a_1' } },
      ['index apis'],
    ],
    [{ op: 'c', ns: 'tyk.$cmd', o: { startIndexBuild: 'apis', indexes: [] } }, []],
    [
      {
        op: 'c',
        ns: 'tyk.$cmd',
        o: { commitIndexBuild: 'apis', indexes: [{ v: 2, key: { a: 1 }, name: 'a_1' }] },
      },
      ['index apis'],
    ],
    [
      {
        ...{ op: 'c', ns: 'admin.$cmd', lsid: {}, txnNumber: Long.fromNumber(1) },
        o: {
          applyOps: [
            { op: 'i', ns: 'tyk.apis', o: { _id: 1 } },
            { op: 'd', ns: 'other.x', o: { _id: 1 } },
            { op: 'u', ns: 'tyk.policies', o: { $v: 2, diff: {} }, o2: { _id: 2 } },
          ],
        },
      },
      ['insert apis', 'update policies'],
    ],
    [{ op: 'c', ns: 'other.$cmd', o: { drop: 'apis' } }, []],
    [{ op: 'c', ns: 'tyk.$cmd', o: { drop: 'tyk-dr-old-1-apis' } }, []],
    [
      {
        op: 'c',
        ns: 'admin.$cmd',
        o: { applyOps: [{ op: 'i', ns: 'x.y', o: { _id: 1 } }], partialTxn: true },
      },
      [],
    ],
  ])('%j', (more, expected) => expect(of(more)).toEqual(expected));

  test.each<[Document, RegExp]>([
    [{ op: 'c', ns: 'tyk.$cmd', o: { drop: 'apis' } }, /drop of apis/],
    [{ op: 'c', ns: 'tyk.$cmd', o: { dropDatabase: 1 } }, /dropDatabase/],
    [{ op: 'c', ns: 'tyk.$cmd', o: { collMod: 'apis', validator: {} } }, /collMod of apis/],
    [{ op: 'c', ns: 'tyk.$cmd', o: { renameCollection: 'tyk.apis', to: 'tyk.old' } }, /renameCollection/],
    [
      { op: 'c', ns: 'tyk.$cmd', o: { renameCollection: 'tyk.tyk-dr-new-1-apis', to: 'tyk.apis' } },
      /renameCollection/,
    ],
    [{ op: 'i', ns: 'tyk.system.views', o: { _id: 'tyk.v' } }, /view/],
    [{ op: 'zz', ns: 'tyk.apis', o: {} }, /operation zz/],
    [
      {
        op: 'c',
        ns: 'admin.$cmd',
        o: { applyOps: [{ op: 'i', ns: 'tyk.a', o: { _id: 1 } }], partialTxn: true },
      },
      /many entries/,
    ],
    [{ op: 'i', ns: 'tyk.apis', o: {} }, /without the _id/],
  ])('that cannot be replayed is refused, by its kind and time: %j', (more, message) => {
    expect(() => of(more)).toThrow(message);
    expect(() => of(more)).toThrow('2023-11-14T22:13:20.000Z');
    expect(() => of(more)).toThrow(expect.objectContaining({ code: 'OPLOG_UNSUPPORTED' }) as Error);
  });
});
