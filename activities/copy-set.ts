import { copySet } from '../adapters/backup/copy.ts';
import { readManifest } from '../adapters/backup/repository.ts';
import { sendPacks } from '../adapters/evidence/off-site.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { chosenSet } from './chosen-set.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { knownSets, physicalFiles, walFrom } from './held-sets.ts';

/** Brings a sealed set to every off-site copy at the same time. Called again it sends only what is not there yet. */

export function createCopyActivities(deps: Deps) {
  return { 'copy-set': guardedBackup(deps, copyToAll) };
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED; COPY_INCOMPLETE once every copy has ended, naming those that failed */
async function copyToAll(asked: BackupCall): Promise<StepResult> {
  const { deployment, input } = asked;
  const { backup } = deployment;
  requireCopies(asked);
  const call: BackupCall = { ...asked, input: { ...input, set: await chosenSet(asked) } };
  const signed = await readManifest(backup, input.deployment, call.input.set);
  const database = await physicalFiles(call, signed);
  const sets = await knownSets(backup, input.deployment);
  const doing = new Map<string, string>();
  const settled = await Promise.allSettled(
    backup.copies.map(async (copy) => {
      const remote = await openRemote(copy, call.secret);
      const copied = await copySet({
        ...{ config: backup, copy, remote },
        signed,
        database: database && { ...database, walFrom: walFrom(sets, copy.name, signed.manifest) },
        signingKey: await call.secret(backup.signingKey),
        signal: call.signal,
        onProgress: (text) => {
          doing.set(copy.name, text);
          call.progress([...doing.values()].join('; '));
        },
      });
      return { ...copied, packs: await sendPacks(remote, backup, input.deployment, call.signal) };
    }),
  );
  call.signal.throwIfAborted();
  const failures = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  for (const failure of failures) if (!isOfCopy(failure)) throw failure;
  if (failures.length > 0)
    throw new DrError('COPY_INCOMPLETE', {
      set: call.input.set,
      deployment: input.deployment,
      reason: failures.map((failure) => (failure as DrError).message).join('; '),
    });
  return {
    summary: settled
      .flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      .map(
        ({ record, sentBytes, packs }) =>
          `${record.copy}: ${record.files} files whole by ${record.provenBy}, ${formatBytes(sentBytes)} sent${packs > 0 ? `, ${packs} evidence packs` : ''}`,
      )
      .join('; '),
  };
}

function isOfCopy(error: unknown): boolean {
  return error instanceof DrError && /^(COPY_|SECRET_MISSING)/.test(error.code);
}

/** @throws DrError BAD_ARGUMENT where the deployment has no off-site copy. */
export function requireCopies({ deployment, input }: BackupCall): void {
  if (deployment.backup.copies.length > 0) return;
  throw new DrError('BAD_ARGUMENT', {
    argument: `deployments.${input.deployment}.backup.copies`,
    value: 'empty',
    expected: 'at least one off-site copy',
  });
}
