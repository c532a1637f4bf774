import { waitReady, type MongoEndpoint } from '../../adapters/mongodb/client.ts';
import { stageDump, type RestoredCollection } from '../../adapters/mongodb/restore.ts';
import {
  discardOld as discard,
  endStaging,
  observeSwitch,
  switchIn,
  undoSwitch,
} from '../../adapters/mongodb/switch-in.ts';
import { startService, stopService } from '../../adapters/service/service.ts';
import type { Db } from 'mongodb';
import type { Manifest } from '../../domain/manifest.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import type { Call } from '../guard.ts';
import { manifestOf, setOf } from '../open-set.ts';
import { notMeasured, proof, requireProofs } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { whileRunning } from '../while-running.ts';
import { countControl, mongoEndpoint, mongoFacts, mongoOf } from './mongodb.ts';
import { dumpOf } from './mongodump-backup.ts';

/** MongoDB: restored and proven beside the old collections of a running server, then switched in. */

const START_TIMEOUT_MS = 5 * 60_000;

export async function restore(call: Call): Promise<StepResult> {
  const { manifest } = await manifestOf(setOf(call));
  if (!manifest.database) return { summary: 'the set has no database' };
  return withServer(call, async (db) => {
    const key = keyOf(call);
    const { state, result } = await observeSwitch(db, key);
    if (state !== 'absent') {
      // Proven before the worker was killed; what is left is to rename.
      await switchIn(db, key);
      return {
        ...(JSON.parse(result ?? '{}') as StepResult),
        summary:
          state === 'done' ? 'the restored data are in place already' : 'restored before, now switched in',
        observed: state === 'done',
      };
    }
    const restored = await stageDump(db, key, dumpOf(call, manifest), {
      everything: false,
      onProgress: call.progress,
      signal: call.signal,
    });
    const found = resultOf(call, manifest, restored);
    await endStaging(db, key, JSON.stringify(found));
    await switchIn(db, key);
    return found;
  });
}

function resultOf(call: Call, manifest: Manifest, restored: readonly RestoredCollection[]): StepResult {
  const facts = mongoFacts(manifest);
  const sum = (count: (each: RestoredCollection) => number): number =>
    restored.reduce((total, each) => total + count(each), 0);
  const documents = sum((each) => each.documents);
  const indexes = sum((each) => each.indexes);
  const readBack = restored.filter((each) => each.readBack).length;
  const late = lateBy(call, manifest);
  return {
    summary: `${documents} documents in ${restored.length} collections, as of ${facts.takenAt}, restored beside the old ones and switched in`,
    proofs: [
      proof('documents of every collection', true, documents, documents),
      proof(
        'documents read back byte for byte, but for raw analytics',
        true,
        `${readBack} collections`,
        `${readBack} collections`,
      ),
      proof('indexes as they were backed up', true, indexes, indexes),
      ...(facts.consistency === 'snapshot'
        ? []
        : [notMeasured('all collections of one moment', 'the server that was backed up has no snapshots')]),
    ] satisfies Proof[],
    ...(late === undefined ? {} : { exception: late }),
  };
}

/** A dump goes back to its own moment only. */
function lateBy({ input }: Call, { set, createdAt }: Manifest): string | undefined {
  const { point } = input.plan;
  if (point.kind !== 'time') return undefined;
  return `the database is as ${set} found it, not as it was at ${point.at}: a dump cannot be replayed beyond its end, ${createdAt}`;
}

export async function start(call: Call): Promise<StepResult> {
  const { input, target, signal } = call;
  const service = serviceOf(input.plan.to, target, 'database');
  const started = await startService(service, signal);
  return withServer(call, async (db) => {
    const hello = await db.command({ hello: 1 });
    const writable = hello['isWritablePrimary'] === true;
    const proofs = [
      proof('it accepts writes', writable, 'the primary', writable ? 'the primary' : 'not the primary'),
    ];
    if (!input.plan.steps.includes('restore-database-data')) {
      const apis = (await countControl(db))['tyk_apis'] ?? 0;
      proofs.push(proof('the database, which was not restored, has APIs', apis > 0, 'some', apis));
    }
    requireProofs(proofs);
    return { summary: started ? 'started' : 'ran already', observed: !started, proofs };
  });
}

/** A dump protects nothing but its own moment, and the next one is an ordinary backup. */
export async function protect(call: Call): Promise<StepResult> {
  return {
    summary: `no archive to begin anew: the next tyk-dr backup ${call.input.plan.deployment} covers it`,
    observed: true,
  };
}

/** The target was stopped before; its server runs for as long as it takes, and is stopped again. */
export async function undo(call: Call): Promise<string> {
  const { input, target, signal } = call;
  const service = serviceOf(input.plan.to, target, 'database');
  const started = await startService(service, signal);
  try {
    return await withServer(call, (db) => undoSwitch(db, keyOf(call)));
  } finally {
    if (started) await stopService(service, signal);
  }
}

export async function discardOld(call: Call): Promise<boolean> {
  return withServer(call, async (db) => (await discard(db, call.input.run)) > 0);
}

/** The server must run for a restore: it is started where it does not. */
async function withServer<T>(call: Call, work: (db: Db) => Promise<T>): Promise<T> {
  const { input, target, secret, signal } = call;
  const service = serviceOf(input.plan.to, target, 'database');
  await startService(service, signal);
  const endpoint: MongoEndpoint = await mongoEndpoint(mongoOf(target), secret);
  const client = await whileRunning(service, signal, (either) =>
    waitReady(endpoint, START_TIMEOUT_MS, either),
  );
  try {
    return await work(client.db(endpoint.database));
  } finally {
    await client.close();
  }
}

function keyOf({ input }: Call) {
  return { run: input.run, step: input.step, set: input.set ?? '' };
}
