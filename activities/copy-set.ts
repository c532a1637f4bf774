import { copySet } from '../adapters/backup/copy.ts';
import { readManifest, type SignedManifest } from '../adapters/backup/repository.ts';
import { repositoryFolder } from '../adapters/postgres/pgbackrest-config.ts';
import type { RepositoryFile } from '../adapters/postgres/repository-files.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { StepResult } from '../domain/run.ts';
import { chosenSet } from './chosen-set.ts';
import { requireRepository } from './endpoints.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { readPart, setOf } from './open-set.ts';

/** Brings a sealed set to every off-site copy at the same time. Called again it sends only what is not there yet. */

export function createCopyActivities(deps: Deps) {
  return { 'copy-set': guardedBackup(deps, copyToAll) };
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED; COPY_INCOMPLETE once every copy has ended, naming those that failed */
async function copyToAll(asked: BackupCall): Promise<StepResult> {
  const { deployment, input } = asked;
  const { backup } = deployment;
  if (backup.copies.length === 0)
    throw new DrError('BAD_ARGUMENT', {
      argument: `deployments.${input.deployment}.backup.copies`,
      value: 'empty',
      expected: 'at least one off-site copy',
    });
  const call: BackupCall = { ...asked, input: { ...input, set: await chosenSet(asked) } };
  const signed = await readManifest(backup, input.deployment, call.input.set);
  const database = await databaseOf(call, signed);
  const doing = new Map<string, string>();
  const settled = await Promise.allSettled(
    backup.copies.map(async (copy) =>
      copySet({
        config: backup,
        copy,
        remote: await openRemote(copy, call.secret),
        signed,
        database,
        signingKey: await call.secret(backup.signingKey),
        signal: call.signal,
        onProgress: (text) => {
          doing.set(copy.name, text);
          call.progress([...doing.values()].join('; '));
        },
      }),
    ),
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
        ({ record, sentBytes }) =>
          `${record.copy}: ${record.files} files whole by ${record.provenBy}, ${formatBytes(sentBytes)} sent`,
      )
      .join('; '),
  };
}

function isOfCopy(error: unknown): boolean {
  return error instanceof DrError && /^(COPY_|SECRET_MISSING)/.test(error.code);
}

async function databaseOf(
  call: BackupCall,
  { manifest }: SignedManifest,
): Promise<{ root: string; files: RepositoryFile[] } | undefined> {
  if (manifest.database?.method !== 'pgbackrest') return undefined;
  return {
    root: repositoryFolder(requireRepository(call.deployment.backup), manifest.database.generation),
    files: await readPart<RepositoryFile[]>(setOf(call), manifest, 'pgbackrest-files'),
  };
}
