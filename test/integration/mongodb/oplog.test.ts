import { buffer } from 'node:stream/consumers';
import type { Readable, Writable } from 'node:stream';
import { BSON, type Db } from 'mongodb';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { dumpDatabase } from '../../../adapters/mongodb/dump.ts';
import { readBatches } from '../../../adapters/mongodb/bson.ts';
import { restoreDump, type DumpedCollection } from '../../../adapters/mongodb/restore.ts';
import type { MongoFacts } from '../../../domain/mongodb.ts';
import { contentOf, live, startTestMongo, type TestMongo } from '../../harness/mongodb.ts';

/**
 * A dump that is written into while it is taken, by a server that tells of a replica set and keeps an oplog: FerretDB,
 * whose entries are those of MongoDB before 5.0. The dump waits in the middle, where the test writes.
 */

let mongo: TestMongo;
let db: Db;
let files: Map<string, Buffer>;
let runs = 0;

beforeAll(async () => {
  mongo = await startTestMongo('tyk_analytics', 'rs0');
  db = mongo.db();
  await db.client.db('local').createCollection('oplog.rs', { capped: true, size: 16 << 20 });
}, 60_000);
afterAll(async () => {
  await mongo?.close();
});
beforeEach(async () => {
  files = new Map();
  for (const { name } of await db.listCollections().toArray()) await db.dropCollection(name);
  await db.collection('tyk_apis').createIndex({ path: 1 }, { unique: true });
  await db.collection<Of>('tyk_apis').insertMany([
    { _id: 1, path: '/a', n: new BSON.Double(1) },
    { _id: 2, path: '/b' },
    { _id: 3, path: '/c' },
  ]);
  await db.collection<Of>('tyk_policies').insertMany([{ _id: 'p', name: 'before' }]);
});

interface Of {
  readonly _id: number | string;
  readonly [name: string]: unknown;
}

/** `meanwhile` runs when one collection has been read and the others have not. */
async function dump(meanwhile: () => Promise<unknown>): Promise<MongoFacts> {
  let read = (): void => undefined;
  const apisRead = new Promise<void>((resolve) => (read = resolve));
  const between = apisRead.then(meanwhile);
  const store = async (path: string, content: Readable): Promise<string> => {
    const isApis = path.endsWith('tyk_apis.bson');
    if (!isApis && path.endsWith('.bson')) await between;
    files.set(path, await buffer(content));
    if (isApis) read();
    return path;
  };
  return dumpDatabase({ endpoint: mongo.endpoint, store });
}

const open = (path: string) => async (sink: Writable) => void sink.end(files.get(path));

async function restore({ collections, oplog }: MongoFacts): Promise<void> {
  const dumped: DumpedCollection[] = collections.map((each) => ({
    name: each.name,
    metadata: open(each.metadata),
    data: open(each.data!),
    counted: each,
  }));
  const key = { run: `run-${(runs += 1)}`, step: 'restore-database-data', set: 'set' };
  await restoreDump(db, key, dumped, {
    everything: true,
    oplog: oplog && open(oplog.data),
    before: () => Promise.resolve(),
    describe: () => ({}),
  });
}

/** Documents in no order of their own: a server does not promise one. */
async function content(): Promise<Record<string, string[]>> {
  const found = live(await contentOf(db));
  return Object.fromEntries(Object.entries(found).map(([name, lines]) => [name, [...lines].sort()]));
}

test('a dump that is written into is of one moment: its end', async () => {
  const facts = await dump(async () => {
    const apis = db.collection<Of>('tyk_apis');
    await apis.deleteOne({ _id: 1 });
    // Allowed only once, and given on: an index must not see the two together.
    await apis.updateOne({ _id: 2 }, { $set: { path: '/a', deep: { list: [1, { x: null }] } } });
    await apis.insertOne({ _id: 4, path: '/b', n: BSON.Long.fromNumber(1), at: new Date(-1) });
    await apis.insertOne({ _id: 5, path: '/gone' });
    await apis.updateOne({ _id: 5 }, { $set: { path: '/soon gone' } });
    await apis.deleteOne({ _id: 5 });
    // In the file and in the log.
    await db.collection<Of>('tyk_policies').updateOne({ _id: 'p' }, { $set: { name: 'meanwhile' } });
    await db.collection<Of>('tyk_policies').insertOne({ _id: 'q', name: 'new' });
    await db.collection<Of>('made_meanwhile').insertOne({ _id: 1, text: 'new' });
    await db.collection<Of>('tyk-dr-steps').insertOne({ _id: 'of ours' });
    await db.client.db('other').collection<Of>('tyk_apis').insertOne({ _id: 1 });
  });
  await db.dropCollection('tyk-dr-steps');
  const atTheEnd = await content();
  expect(facts).toMatchObject({
    consistency: 'oplog',
    oplog: { touched: { tyk_apis: { inserts: 2, deletes: 2 }, tyk_policies: { inserts: 1, deletes: 0 } } },
  });
  expect(Date.parse(facts.oplog!.endsAt)).toBeLessThanOrEqual(Date.now());

  await db.collection('tyk_apis').deleteMany({});
  await db.collection('tyk_policies').insertOne({ name: 'after the dump' });
  await restore(facts);
  expect(await content()).toEqual(atTheEnd);
});

test('its log is what mongodump writes: whole entries of this database, at the top of the dump', async () => {
  const facts = await dump(() => db.collection<Of>('tyk_apis').deleteOne({ _id: 1 }));
  expect([...files.keys()]).toContain('oplog.bson');
  const entries: unknown[] = [];
  for await (const batch of readBatches(inOne(files.get('oplog.bson')!)))
    for (const each of batch) entries.push(BSON.deserialize(each));
  expect(entries).toMatchObject([{ op: 'd', ns: 'tyk_analytics.tyk_apis', o: { _id: 1 } }]);
  expect(facts.oplog!.entries).toBe(1);
});

test('an update of a document that is nowhere is a gap of the log: nothing is switched', async () => {
  const facts = await dump(() =>
    db.collection<Of>('tyk_apis').updateOne({ _id: 1 }, { $set: { path: '/x' } }),
  );
  const log = files.get('oplog.bson')!;
  const entry = BSON.deserialize(log, { promoteValues: false });
  files.set('oplog.bson', Buffer.from(BSON.serialize({ ...entry, o2: { _id: 77 } })));
  const before = await content();
  await expect(restore(facts)).rejects.toMatchObject({ code: 'DATA_UNPROVEN' });
  expect(await content()).toEqual(before);
});

test('a log of what cannot be replayed is refused before anything changes', async () => {
  const facts = await dump(() => Promise.resolve());
  const ts = new BSON.Timestamp({ t: 1_700_000_000, i: 1 });
  const drop = { ts, op: 'c', ns: 'tyk_analytics.$cmd', o: { drop: 'tyk_apis' } };
  files.set('oplog.bson', Buffer.from(BSON.serialize(drop)));
  const before = await content();
  await expect(restore(facts)).rejects.toMatchObject({ code: 'OPLOG_UNSUPPORTED' });
  expect(await content()).toEqual(before);
});

test('a log that was written over while the dump was taken makes no set', async () => {
  const log = db.client.db('local').collection('oplog.rs');
  await expect(
    dump(() => log.deleteMany({}).then(() => db.collection('tyk_apis').insertOne({ path: '/d' }))),
  ).rejects.toMatchObject({ code: 'OPLOG_LOST' });
});

async function* inOne(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
