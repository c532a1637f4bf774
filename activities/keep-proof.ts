import { mkdir } from 'node:fs/promises';
import { CopyLedger } from '../adapters/backup/copy-ledger.ts';
import { copyFolders, ledgerFile, readCopyRecords, writeCopyRecord } from '../adapters/backup/copy-record.ts';
import {
  readAttestation,
  readManifest,
  setFolder,
  writeAttestation,
  type SignedManifest,
} from '../adapters/backup/repository.ts';
import { upload } from '../adapters/rclone/rclone.ts';
import { openRemote, remoteText } from '../adapters/rclone/remote.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { DrError } from '../domain/errors.ts';
import type { Attestation } from '../domain/manifest.ts';
import type { BackupCall } from './guard.ts';
import { setOf } from './open-set.ts';

/**
 * A proof of a set or a snapshot, bound to the bytes of its manifest.
 *
 * @param begun by `performance.now()`, when the proof began.
 */
export function proofOf(
  { input }: BackupCall,
  manifestSha256: string,
  begun: number,
  proven: Pick<Attestation, 'redis' | 'database' | 'relations' | 'services'>,
): Attestation {
  return {
    format: 'tyk-dr/attestation/v1',
    set: input.set,
    manifestSha256,
    verifiedAt: new Date().toISOString(),
    durationMs: Math.round(performance.now() - begun),
    ...(input.copy === undefined ? {} : { copy: input.copy }),
    ...proven,
  };
}

/**
 * Where a proof is kept: beside the set that was restored. That of a set which came from one copy alone lies at that
 * copy; where the same manifest is in the repository as well, the record of the copy says so there, and a set without
 * any proof has this one: it is bound to the manifest, and so to the digest of every object.
 *
 * @returns what could not be kept, in words: what was proven is proven nevertheless.
 */
export async function keepProof(call: BackupCall, attestation: Attestation): Promise<string[]> {
  const { deployment, input } = call;
  const signingKey = await call.secret(deployment.backup.signingKey);
  const copy = deployment.backup.copies.find(({ name }) => name === input.copy);
  if (!copy) {
    await writeAttestation(deployment.backup, input.deployment, attestation, signingKey);
    return [];
  }
  const here = await readManifest(deployment.backup, input.deployment, attestation.set).catch(
    (error: unknown) => {
      if (error instanceof DrError) return undefined;
      throw error;
    },
  );
  if (here?.sha256 === attestation.manifestSha256) await noteHere(call, here, copy, attestation);
  return sendThere(call, copy, attestation);
}

async function noteHere(
  call: BackupCall,
  here: SignedManifest,
  copy: CopyConfig,
  attestation: Attestation,
): Promise<void> {
  const { backup } = call.deployment;
  const { deployment } = call.input;
  const signingKey = await call.secret(backup.signingKey);
  const proof = await readAttestation(backup, deployment, here).catch(() => undefined);
  if (!proof) await writeAttestation(backup, deployment, attestation, signingKey);
  const record = (await readCopyRecords(backup, deployment, here)).find((each) => each.copy === copy.name);
  if (!record) return;
  const { verifiedAt, durationMs } = attestation;
  const took = durationMs === undefined ? {} : { restoredInMs: durationMs };
  await writeCopyRecord(backup, deployment, { ...record, restoredAt: verifiedAt, ...took }, signingKey);
}

async function sendThere(call: BackupCall, copy: CopyConfig, attestation: Attestation): Promise<string[]> {
  const { deployment, input, signal } = call;
  const { set } = attestation;
  // Beside what was fetched for the proof; gone with it.
  const draft = { ...deployment.backup, repository: setOf(call).cache };
  const from = setFolder(draft, input.deployment, set);
  await mkdir(from, { recursive: true, mode: 0o700 });
  await writeAttestation(draft, input.deployment, attestation, await call.secret(draft.signingKey));
  const folder = copyFolders(input.deployment, set).set;
  try {
    const remote = await openRemote(copy, call.secret);
    await upload(remote, from, folder, ['verified.json.sig', 'verified.json'], { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DrError)) throw error;
    return [`the proof could not be kept there: ${error.message}`];
  }
  const ledger = await CopyLedger.open(
    ledgerFile(deployment.backup, input.deployment, copy.name),
    remoteText(copy),
  );
  // What lies there now is another file than the one that was noted.
  ledger.forget(['verified.json', 'verified.json.sig'].map((name) => `${folder}/${name}`));
  if (ledger.paths().length > 0) await ledger.save();
  return [];
}
