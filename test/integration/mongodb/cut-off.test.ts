import { buffer } from 'node:stream/consumers';
import type { Readable, Writable } from 'node:stream';
import type { Db } from 'mongodb';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { withDatabase } from '../../../adapters/mongodb/client.ts';
import { dumpDatabase } from '../../../adapters/mongodb/dump.ts';
import { restoreDump, type DumpedCollection } from '../../../adapters/mongodb/restore.ts';
import { discardOld, undoSwitch } from '../../../adapters/mongodb/switch-in.ts';
import { contentOf, Line, live, startTestMongo, type TestMongo } from '../../harness/mongodb.ts';

/**
 * A restore whose line to the server breaks for good right before any one of its writes: the server then has what it
 * would have if the worker had been killed there.
 */

let mongo: TestMongo;
let db: Db;
let line: Line;
let dump: DumpedCollection[];
let saved: Record<string, string[]>;
let run: string;
let runs = 0;

beforeAll(async () => {
  mongo = await startTestMongo();
  db = mongo.db();
  line = await Line.to(mongo.endpoint.port);
  await db.collection('tyk_apis').createIndex({ api: 1 }, { unique: true });
  await db.collection('tyk_apis').insertMany([{ api: 1 }, { api: 2 }]);
  await db.collection('tyk_policies').insertOne({ name: 'saved' });
  await db.collection('portal_pages').insertOne({ name: 'not there any more' });
  const files = new Map<string, Buffer>();
  const store = async (path: string, content: Readable): Promise<string> => {
    files.set(path, await buffer(content));
    return path;
  };
  const open = (path: string) => async (sink: Writable) => void sink.end(files.get(path));
  const { collections } = await dumpDatabase({ endpoint: mongo.endpoint, store });
  dump = collections.map((each) => ({
    name: each.name,
    metadata: open(each.metadata),
    data: open(each.data!),
    counted: each,
  }));
  saved = await contentOf(db);
  await db.dropCollection('portal_pages');
}, 60_000);
afterAll(async () => {
  await line?.close();
  await mongo?.close();
});

/** What is there before a restore: changed, with one collection more and one less. */
let before: Record<string, string[]>;
beforeEach(async () => {
  before = await asBefore();
});

async function asBefore(): Promise<Record<string, string[]>> {
  run = `run-${(runs += 1)}`;
  for (const { name } of await db.listCollections().toArray()) await db.dropCollection(name);
  await db.collection('tyk_apis').insertOne({ api: 'changed' });
  await db.collection('tyk_policies').insertOne({ name: 'changed' });
  await db.collection('made-since').insertOne({ n: 1 });
  return contentOf(db);
}

const key = () => ({ run, step: 'restore-database-data', set: 'set' });

/** @returns whether it came to its end before the line broke. */
async function over(broken: number, work: (on: Db) => Promise<unknown>): Promise<boolean> {
  line.cutAtWrite = broken;
  try {
    await withDatabase({ ...mongo.endpoint, port: line.port }, work);
    return true;
  } catch (error) {
    expect(String(error)).toMatch(/closed|ECONNRESET|ECONNREFUSED|EPIPE|timed out/i);
    return false;
  } finally {
    line.cutAtWrite = Infinity;
    await line.quiet();
  }
}

const restore = (on: Db) =>
  restoreDump(on, key(), dump, {
    everything: true,
    before: async () => undefined,
    describe: (restored) => restored.map(({ name }) => name),
  });

test('is finished by the next call; nothing is there twice, nothing half, and no old data are lost', async () => {
  let writes = 0;
  for (let whole = false; !whole; writes += 1) {
    const old = await asBefore();
    whole = await over(writes, restore);
    const { result } = await restore(db);
    expect(result).toEqual(['portal_pages', 'tyk_apis', 'tyk_policies']);
    const found = await contentOf(db);
    expect(live(found)).toEqual(saved);
    for (const name of Object.keys(old)) expect(found[`tyk-dr-old-${run}-${name}`]).toEqual(old[name]);
    await discardOld(db, run);
    expect(await contentOf(db)).toEqual(saved);
  }
  // Creating, filling, indexing and renaming of three collections, and the ledger.
  expect(writes).toBeGreaterThan(15);
});

test('can be undone, wherever it and the undo itself were cut off', async () => {
  for (let writes = 0, whole = false; !whole; writes += 1) {
    before = await asBefore();
    whole = await over(writes, restore);
    for (let undone = false, cut = writes % 3; !undone; cut += 3)
      undone = await over(cut, (on) => undoSwitch(on, key()));
    expect(await contentOf(db)).toEqual(before);
  }
});

test('an undo of nothing does nothing, also twice', async () => {
  for (let times = 0; times < 2; times += 1) expect(await undoSwitch(db, key())).toBe('nothing was switched');
  expect(await contentOf(db)).toEqual(before);
});
