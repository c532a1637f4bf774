import { restoreDump, type RestoredCollection } from '../../adapters/mongodb/restore.ts';
import { discardOld as discard, undoSwitch } from '../../adapters/mongodb/switch-in.ts';
import type { StepKey } from '../../adapters/files/switch-in.ts';
import { stopService } from '../../adapters/service/service.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { MongoFacts } from '../../domain/mongodb.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import type { Call } from '../guard.ts';
import { manifestOf, setOf } from '../open-set.ts';
import { notMeasured, proof, requireProofs } from '../proofs.ts';
import { serviceOf } from '../site.ts';
import { countControl, mongoFacts } from './mongodb.ts';
import { requireOurs, wake, withServer } from './mongodb-server.ts';
import { dumpOf, oplogOf } from './mongodump-backup.ts';

/** MongoDB: restored and proven beside the old collections, on the running server, then switched in by renaming. */

export async function restore(call: Call): Promise<StepResult> {
  const { manifest } = await manifestOf(setOf(call));
  if (!manifest.database) return { summary: 'the set has no database' };
  await wake(call);
  return withServer(call, async (db) => {
    const { result, observed } = await restoreDump<StepResult>(db, keyOf(call), dumpOf(call, manifest), {
      everything: false,
      oplog: oplogOf(call, manifest),
      before: () => requireOurs(call, db),
      describe: (restored) => resultOf(manifest, restored),
      onProgress: call.progress,
      signal: call.signal,
    });
    return observed ? { ...result, summary: 'the restored data are in place already', observed } : result;
  });
}

function resultOf(manifest: Manifest, restored: readonly RestoredCollection[]): StepResult {
  const facts = mongoFacts(manifest);
  const sum = (count: (each: RestoredCollection) => number): number =>
    restored.reduce((total, each) => total + count(each), 0);
  const documents = sum((each) => each.documents);
  const indexes = sum((each) => each.indexes);
  const readBack = sum((each) => (each.readBack ? each.documents : 0));
  return {
    summary: `${documents} documents in ${restored.length} collections as of ${facts.oplog?.endsAt ?? facts.takenAt}; what was written later is not in them`,
    proofs: [
      proof('documents of every collection', true, documents, documents),
      proof('documents read back, byte for byte (all but raw analytics)', true, readBack, readBack),
      proof('indexes as they were backed up', true, indexes, indexes),
      oneMoment(facts),
    ],
  };
}

function oneMoment({ consistency, oplog, takenAt, withoutOplog }: MongoFacts): Proof {
  const name = 'all collections of one moment';
  if (oplog)
    return proof(name, true, oplog.endsAt, `${oplog.endsAt}, by ${oplog.entries} entries of the oplog`);
  if (consistency === 'snapshot') return proof(name, true, takenAt, `${takenAt}, a snapshot`);
  return notMeasured(name, withoutOplog ?? 'the server that was backed up has no snapshots');
}

export async function start(call: Call): Promise<StepResult> {
  const started = await wake(call);
  return withServer(call, async (db) => {
    const primary = (await db.command({ hello: 1 }))['isWritablePrimary'] === true;
    const proofs = [
      proof('it accepts writes', primary, 'the primary', primary ? 'the primary' : 'a secondary'),
    ];
    if (!call.input.plan.steps.includes('restore-database-data')) {
      const apis = (await countControl(db))['tyk_apis'] ?? 0;
      proofs.push(proof('the database, which was not restored, has APIs', apis > 0, 'some', apis));
    }
    requireProofs(proofs);
    return { summary: `MongoDB ${started ? 'started' : 'ran already'}`, observed: !started, proofs };
  });
}

export async function undo(call: Call): Promise<string> {
  const started = await wake(call);
  const undone = await withServer(call, (db) => undoSwitch(db, keyOf(call)));
  // A run that is given up leaves the target stopped.
  if (started) await stopService(serviceOf(call.input.plan.to, call.target, 'database'), call.signal);
  return undone;
}

/** Collections of the Dashboard's database, ours among them. */
export async function contents(call: Call): Promise<string[]> {
  const started = await wake(call);
  const found = await withServer(call, (db) => db.listCollections({}, { nameOnly: true }).toArray());
  if (started) await stopService(serviceOf(call.input.plan.to, call.target, 'database'), call.signal);
  return found.map(({ name }) => `collection ${name}`);
}

export async function discardOld(call: Call): Promise<boolean> {
  if (!call.input.plan.steps.includes('restore-database-data')) return false;
  return withServer(call, async (db) => (await discard(db, call.input.run)) > 0);
}

/** Of the restore, whichever step asks. */
function keyOf({ input }: Call): StepKey {
  return { run: input.run, step: 'restore-database-data', set: input.set ?? '' };
}
