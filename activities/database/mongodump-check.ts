import type { Manifest } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import type { SecretRef } from '../../domain/secret.ts';
import type { Call } from '../guard.ts';
import { notMeasured, proof } from '../proofs.ts';
import { mongoFacts, mongoOf } from './mongodb.ts';

/** Whether a dump can be restored, asked before the first effect. */

export function secrets({ target }: Call): (SecretRef | undefined)[] {
  return [mongoOf(target).password];
}

/** The objects themselves are opened with those of the rest of the set. */
export async function checkBackup(_call: Call, manifest: Manifest): Promise<Proof[]> {
  const { collections, oplog } = mongoFacts(manifest);
  const names = new Set(manifest.objects.map(({ name }) => name));
  const found = collections.filter(
    ({ data, metadata }) => names.has(metadata) && (data === undefined || names.has(data)),
  );
  const complete = found.length === collections.length;
  return [
    proof('every collection of the dump is in the set', complete, collections.length, found.length),
    ...(oplog ? [proof('its oplog is in the set', names.has(oplog.data), oplog.data, oplog.data)] : []),
  ];
}

/** The driver is part of tyk-dr. */
export async function checkTools(): Promise<Proof[]> {
  return [];
}

export function disk({ target }: Call): string | undefined {
  return mongoOf(target).dataDir;
}

/** Files of MongoDB tell nothing to those who are not its server: start-database looks when it runs. */
export async function checkWarm(): Promise<Proof[]> {
  return [
    notMeasured('the database, which is not restored, holds data', 'it is seen when the server has started'),
  ];
}
