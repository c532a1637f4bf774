import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { BSON, type Db, type Document } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setFolder } from '../../../adapters/backup/repository.ts';
import type { PartResult } from '../../../domain/backup.ts';
import type { Manifest } from '../../../domain/manifest.ts';
import type { MongoFacts } from '../../../domain/mongodb.ts';
import { callActivity, type ChildEnd } from '../../harness/activity.ts';
import {
  backupStepOf,
  signSet,
  stepOf,
  writeDeployment,
  type TestDeployment,
} from '../../harness/deployment.ts';
import { contentOf, live, startTestMongo, type TestMongo } from '../../harness/mongodb.ts';
import { flipByte } from '../../harness/postgres-scene.ts';

/** MongoDB by the real activities: backed up, damaged, brought back. */

const SET = '20260101T000000Z-0001';
const STEP = 'restore-database-data';
/** More than one batch of the driver, of the codec and of an insert. */
const RECORDS = 2_500;

let mongo: TestMongo;
let db: Db;
let scene: TestDeployment;
let facts: MongoFacts;
let manifest: Manifest;
let seeded: Record<string, string[]>;
let run: string;
let runs = 0;

beforeAll(async () => {
  mongo = await startTestMongo();
  db = mongo.db();
  scene = await sceneWith({});
  await seed(db);
  seeded = await contentOf(db);
  ({ facts, manifest } = await backUp(scene, SET));
}, 60_000);
afterAll(async () => {
  await mongo?.close();
});

/** Somebody has deleted, changed and added; that is what a recovery replaces, and an undo brings back. */
let damaged: Record<string, string[]>;
beforeEach(async () => {
  run = `run-${(runs += 1)}`;
  for (const { name } of await db.listCollections().toArray()) await db.dropCollection(name);
  await db.collection<Document>('tyk_organisations').insertOne({ _id: 'org' as never });
  await db.collection('tyk_apis').insertOne({ wrong: true });
  await db.collection('made-since').insertOne({ n: 1 });
  damaged = await contentOf(db);
});

function sceneWith(more: Record<string, unknown>): Promise<TestDeployment> {
  const dir = join(mongo.dir, `config-${Math.random().toString(36).slice(2)}`);
  return writeDeployment(dir, {
    mongodb: { kind: 'mongodb', port: mongo.endpoint.port, name: 'tyk_analytics', ...more },
  });
}

async function seed(on: Db): Promise<void> {
  const { Long, Int32, Double, Binary, BSONRegExp, Timestamp, UUID } = BSON;
  await on.collection<Document>('tyk_organisations').insertOne({ _id: 'org' as never, owner: 'us' });
  await on.collection('tyk_apis').createIndex({ b: 1, a: -1 }, { unique: true, name: 'unique pair' });
  await on.collection('tyk_apis').insertMany([
    { b: 1, a: new Int32(1), long: Long.fromNumber(1), double: new Double(1), beforeTheEpoch: new Date(-1) },
    { b: 2, a: null, nested: { z: null, y: [null, { x: null }], '2': 1, '1': 2 }, empty: {}, none: [] },
    { b: 3, a: true, bytes: new Binary(Buffer.from([0, 255, 0]), 0), uuid: new UUID(), text: 'ü\u0000x' },
    { b: 4, a: 1.5, pattern: new BSONRegExp('^a.*', 'i'), at: new Timestamp({ t: 1, i: 2 }), minus: -0 },
  ]);
  await on.createCollection('tyk_analytics', { capped: true, size: 8 << 20, max: 5_000 });
  for (let from = 0; from < RECORDS; from += 500)
    await on.collection('tyk_analytics').insertMany(Array.from({ length: 500 }, (_, n) => ({ n: from + n })));
  await on.collection('portal_pages').createIndex({ slug: 1 });
}

async function backUp(
  { deployment, ...rest }: TestDeployment,
  set: string,
): Promise<{ facts: MongoFacts; manifest: Manifest }> {
  const on = { deployment, ...rest };
  const { result, error } = await callActivity({
    configFile: on.configFile,
    activity: 'back-up-database',
    input: backupStepOf(on, 'back-up-database', set),
  });
  if (error) throw Object.assign(new Error(error.message), error);
  const { objects, database } = result as PartResult;
  return {
    facts: database as MongoFacts,
    manifest: await signSet(on, { set, objects, database: database! }),
  };
}

const call = (activity: string, on = scene, set = SET): Promise<ChildEnd> =>
  callActivity({ configFile: on.configFile, activity, input: stepOf(on, { run, step: STEP, set }) });

/** The commands of docs/mongodb.md, as they stand there but for the places, and without mongorestore. */
async function unsealByHand(): Promise<string> {
  const page = await readFile(join(import.meta.dirname, '../../../docs/mongodb.md'), 'utf8');
  const commands = /```sh\n(.+?)```/s.exec(page)![1]!;
  const folder = await mkdtemp(join(mongo.dir, 'by-hand-'));
  const identity = join(folder, 'age-offline');
  await writeFile(identity, `${scene.keys.offline.reveal()}\n`, { mode: 0o600 });
  const script = commands
    .replace(/^cd .*$/m, `cd ${setFolder(scene.deployment.backup, 'acme', SET)}`)
    .replace('-i age-offline', `-i ${identity}`)
    .replaceAll('dump/', `${folder}/`)
    .replace(/^mongorestore .*$/m, '');
  await execa('sh', ['-eu', '-c', script]);
  return folder;
}

test('a set holds what mongodump would write, and opens with standard tools', async () => {
  expect(facts).toMatchObject({ name: 'tyk_analytics', consistency: 'none', method: 'mongodump' });
  const folder = await unsealByHand();
  const names = ['portal_pages', 'tyk_analytics', 'tyk_apis', 'tyk_organisations'];
  expect((await readdir(join(folder, 'tyk_analytics'))).sort()).toEqual(
    names.flatMap((name) => [`${name}.bson`, `${name}.metadata.json`]),
  );
  const read = (file: string): Promise<Buffer> => readFile(join(folder, 'tyk_analytics', file));
  expect((await read('tyk_apis.bson')).toString('hex')).toBe(seeded['tyk_apis']!.slice(0, 4).join(''));
  expect(JSON.parse((await read('tyk_apis.metadata.json')).toString())).toMatchObject({
    collectionName: 'tyk_apis',
    type: 'collection',
    indexes: [
      { name: '_id_', key: { _id: { $numberInt: '1' } }, v: { $numberInt: '2' } },
      { name: 'unique pair', key: { b: { $numberInt: '1' }, a: { $numberInt: '-1' } }, unique: true },
    ],
  });
});

describe('a restore', () => {
  test('brings back every document bit by bit, indexes and options; the old ones stay until close-out', async () => {
    const { result, error } = await call(STEP);
    expect(error).toBeUndefined();
    expect(result!.proofs!.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass', 'not-measured']);
    expect(live(await contentOf(db))).toEqual(seeded);
    await expect(db.collection('tyk_apis').insertOne({ b: 1, a: 1 })).rejects.toThrow('E11000');
    expect(await call(STEP)).toMatchObject({ result: { observed: true, proofs: result!.proofs } });
    await call('discard-old-data');
    expect(await contentOf(db)).toEqual(seeded);
  });

  test('is undone, and an undo of nothing does nothing', async () => {
    await call('undo-switch');
    expect(await contentOf(db)).toEqual(damaged);
    await call(STEP);
    expect((await call('undo-switch')).error).toBeUndefined();
    expect(await contentOf(db)).toEqual(damaged);
  });

  test('of a database that belongs to others is refused', async () => {
    await db.dropCollection('tyk_organisations');
    await db.collection<Document>('tyk_organisations').insertOne({ _id: 'others' as never });
    const theirs = await contentOf(db);
    expect(await call(STEP)).toMatchObject({ error: { code: 'TARGET_IS_ANOTHER' } });
    expect(await contentOf(db)).toEqual(theirs);
  });
});

describe('damage is found before anything changes', () => {
  test.each(['flipped', 'cut'])('an object that is %s', async (how) => {
    const object = manifest.objects.find(({ name }) => name.endsWith('tyk-analytics.bson'))!;
    const file = join(setFolder(scene.deployment.backup, 'acme', SET), object.file);
    const whole = await readFile(file);
    if (how === 'flipped') await flipByte(file, Math.floor(whole.length / 2));
    else await writeFile(file, whole.subarray(0, whole.length - 1));
    const { error } = await call(STEP);
    await writeFile(file, whole);
    expect(error).toMatchObject({ code: 'OBJECT_DAMAGED' });
    expect(live(await contentOf(db))).toEqual(damaged);
  });
});

describe('what mongodump wrote', () => {
  const OTHER = '20260102T000000Z-0002';
  const LATER = '20260103T000000Z-0003';
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(mongo.dir, 'mongodump-'));
    await mkdir(join(folder, 'tyk_analytics'));
  });
  const write = async (name: string, content: Buffer | string): Promise<void> => {
    const bytes = Buffer.from(content);
    await writeFile(join(folder, 'tyk_analytics', name), name.endsWith('.gz') ? gzipSync(bytes) : bytes);
  };
  const apis = (...values: Document[]): Buffer => Buffer.concat(values.map((value) => BSON.serialize(value)));
  const METADATA = `{"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},{"v":{"$numberInt":"2"},"unique":true,"key":{"api":{"$numberInt":"1"}},"name":"api_1"}],"uuid":"4f1c","collectionName":"tyk_apis","type":"collection"}`;

  test.each([
    ['plain', ''],
    ['with --gzip', '.gz'],
  ])('is taken into a set and restored, %s', async (_how, ending) => {
    await write(`tyk_apis.bson${ending}`, apis({ _id: 1, api: 'a' }, { _id: 2, api: 'b' }));
    await write(`tyk_apis.metadata.json${ending}`, METADATA);
    await write(`odd%2Fname.bson${ending}`, apis({ _id: 3 }));
    const set = ending === '' ? OTHER : LATER;
    const on = await sceneWith({ mongodumpFolder: folder });
    await backUp(on, set);
    expect((await call(STEP, on, set)).error).toBeUndefined();
    expect(await db.collection('tyk_apis').find().toArray()).toEqual([
      { _id: 1, api: 'a' },
      { _id: 2, api: 'b' },
    ]);
    expect(await db.collection('odd/name').countDocuments()).toBe(1);
    await expect(db.collection('tyk_apis').insertOne({ api: 'a' })).rejects.toThrow('E11000');
  });

  test('and was cut short becomes no set', async () => {
    await write('tyk_apis.bson', apis({ _id: 1, api: 'a' }).subarray(0, 9));
    await expect(backUp(await sceneWith({ mongodumpFolder: folder }), OTHER)).rejects.toMatchObject({
      code: 'OBJECT_DAMAGED',
      message: expect.stringContaining('ends within the document at byte 0') as string,
    });
  });

  test('of documents that break its own unique index is refused, and nothing changes', async () => {
    await write('tyk_apis.bson', apis({ _id: 1, api: 'a' }, { _id: 2, api: 'a' }));
    await write('tyk_apis.metadata.json', METADATA);
    const on = await sceneWith({ mongodumpFolder: folder });
    await backUp(on, OTHER);
    const { error } = await call(STEP, on, OTHER);
    expect(error).toMatchObject({ code: 'DATA_UNPROVEN' });
    expect(error!.message).toMatch(/collection tyk_apis.*UNIQUE constraint/);
    expect(live(await contentOf(db))).toEqual(damaged);
  });

  test('an index that the server cannot make is an error, never left out', async () => {
    await write('tyk_apis.bson', apis({ _id: 1, api: 'a' }));
    await write(
      'tyk_apis.metadata.json',
      METADATA.replace('"unique":true', '"expireAfterSeconds":{"$numberInt":"60"}'),
    );
    const on = await sceneWith({ mongodumpFolder: folder });
    await backUp(on, OTHER);
    expect(await call(STEP, on, OTHER)).toMatchObject({ error: { code: 'DATA_UNPROVEN' } });
    expect(live(await contentOf(db))).toEqual(damaged);
  });
});
