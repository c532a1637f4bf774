import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { BSON, ObjectId, type Db } from 'mongodb';
import { readBatches } from '../adapters/mongodb/bson.ts';
import { insertUnordered } from '../adapters/mongodb/load.ts';
import { DrError } from '../domain/errors.ts';
import { killSite } from '../lab/break.ts';
import type { Lab, SiteName } from '../lab/layout.ts';
import { startEmptyMongo, withMongo } from '../lab/mongodb.ts';
import { RECORDS } from '../lab/pump/mongo-sink.ts';
import { resetSite } from '../lab/reset.ts';
import { up } from '../lab/up.ts';
import { measureBackups, type MeasuredBackups } from './backup.ts';
import { dropPageCache } from './page-cache.ts';
import { stepsOfRecovery } from './recover.ts';
import { silence } from './scene.ts';
import { withPeaks, type Peaks } from './worker-memory.ts';

/**
 * `npm run bench -- --database mongodb`: the restore of a MongoDB as its step has it, beside the bare limit of the same
 * server: the driver, sending the same raw documents as fast as they are taken. FerretDB, for there is no mongod here.
 */

export interface MongoRound {
  /** The same documents into an empty server: unordered, in batches, as many at a time as the restore sends. */
  readonly limitMs: number;
  /** The step restore-database-data: opened, inserted, indexed, proven, switched in. */
  readonly restoreMs: number;
  readonly peakBytes: Peaks;
}

export interface MongoScene extends MeasuredBackups {
  readonly documents: number;
  readonly bytes: number;
  readonly rounds: readonly MongoRound[];
}

/** What a detailed analytics record comes to, with request and response in it. */
const DOCUMENT_BYTES = 2_000;
const BATCH = 1_000;
/** As many as `loadCollection` has under way. */
const AT_A_TIME = 4;

export async function measureMongo(
  lab: Lab,
  bytes: number,
  runs: number,
  say: (text: string) => void,
): Promise<MongoScene> {
  await up(lab, say);
  await mkdir(join(lab.dir, 'bench'), { recursive: true });
  await silence(lab);
  const file = join(lab.dir, 'bench', 'documents.bson');
  const written = await writeDocuments(file, bytes);
  say(`filling MongoDB with ${written.documents} documents`);
  await fill(lab, 'primary', file);
  const present = await withMongo(lab, 'primary', (db) => db.collection(RECORDS).countDocuments());
  const measured = await measureBackups(lab, runs, say);
  await killSite(lab, 'primary');
  const rounds: MongoRound[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say(`restore ${run} of ${runs}`);
    await resetSite(lab, 'dr');
    await startEmptyMongo(lab, 'dr');
    await dropPageCache();
    const limitMs = await fill(lab, 'dr', file);
    await resetSite(lab, 'dr');
    await dropPageCache();
    const { result: steps, peakBytes } = await withPeaks(lab, () => stepsOfRecovery(lab));
    const found = await withMongo(lab, 'dr', (db) => db.collection(RECORDS).countDocuments());
    // The proofs of the recovery have made some more.
    if (found < present)
      throw new DrError('DATA_UNPROVEN', { what: RECORDS, expected: present, actual: found });
    const restoreMs = steps['restore-database-data']!;
    rounds.push({ limitMs, restoreMs, peakBytes });
    say(`  bare limit ${(limitMs / 1000).toFixed(1)} s, restored in ${(restoreMs / 1000).toFixed(1)} s`);
  }
  return { ...measured, ...written, rounds };
}

/** As mongodump would write them, so that nothing is encoded while time is taken. */
async function writeDocuments(file: string, bytes: number): Promise<{ documents: number; bytes: number }> {
  const handle = await open(file, 'w');
  let written = 0;
  let documents = 0;
  try {
    while (written < bytes) {
      const batch = Array.from({ length: BATCH }, (_, n) => BSON.serialize(record(documents + n)));
      await handle.write(Buffer.concat(batch));
      documents += batch.length;
      written += batch.reduce((sum, each) => sum + each.length, 0);
    }
  } finally {
    await handle.close();
  }
  return { documents, bytes: written };
}

function record(n: number) {
  const request = `GET /orders/${n % 977} HTTP/1.1 client-${(n * 7_919) % 100_003} `.repeat(12);
  return {
    ...{ _id: new ObjectId(), method: 'GET', host: 'api.example.org', path: `/orders/${n % 977}` },
    ...{ responsecode: 200, apikey: `key-${n % 20_000}`, timestamp: new Date(1_767_225_600_000 + n * 420) },
    ...{ apiid: `api-${n % 300}`, orgid: 'org', requesttime: n % 300, useragent: `client/${n % 31}` },
    rawrequest: Buffer.from(request)
      .toString('base64')
      .slice(0, DOCUMENT_BYTES / 2),
    rawresponse: Buffer.from(`${n * 104_729} ${request}`)
      .toString('base64')
      .slice(0, DOCUMENT_BYTES / 3),
  };
}

/** @returns milliseconds. */
async function fill(lab: Lab, site: SiteName, file: string): Promise<number> {
  return withMongo(lab, site, async (db: Db) => {
    const startedAt = performance.now();
    const batches = readBatches(createReadStream(file, { highWaterMark: 1 << 20 }));
    await Promise.all(
      Array.from({ length: AT_A_TIME }, async () => {
        // One iterator for all: each takes the next batch.
        for (let next = await batches.next(); !next.done; next = await batches.next())
          await insertUnordered(db, RECORDS, next.value);
      }),
    );
    return performance.now() - startedAt;
  });
}
