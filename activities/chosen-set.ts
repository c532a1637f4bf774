import { idsAt } from '../adapters/backup/fetch.ts';
import { requireNewestUsable } from '../adapters/backup/repository.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import { DrError } from '../domain/errors.ts';
import { SET_ID } from '../domain/manifest.ts';
import type { BackupCall } from './guard.ts';

/** A set by its id, or the newest of all: that is the one which nobody has looked at yet. @throws DrError NO_BACKUP */
export async function chosenSet(call: BackupCall): Promise<string> {
  return call.input.set === 'latest' ? newestSet(call) : call.input.set;
}

/** Of the repository, or of the one copy that is meant. @throws DrError NO_BACKUP, COPY_UNUSABLE */
export async function newestSet({ deployment, input, secret, signal }: BackupCall): Promise<string> {
  if (input.copy === undefined) return requireNewestUsable(deployment.backup, input.deployment);
  const copy = deployment.backup.copies.find(({ name }) => name === input.copy);
  if (!copy)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--copy',
      value: input.copy,
      expected: `one of ${deployment.backup.copies.map(({ name }) => name).join(', ')}`,
    });
  const ids = await idsAt(await openRemote(copy, secret), input.deployment, signal);
  const newest = ids.find((id) => SET_ID.test(id));
  if (newest !== undefined) return newest;
  throw new DrError('NO_BACKUP', {
    deployment: input.deployment,
    repository: `the off-site copy ${copy.name}`,
    reason: 'it has no manifest',
  });
}

export async function withChosenSet(call: BackupCall): Promise<BackupCall> {
  return { ...call, input: { ...call.input, set: await chosenSet(call) } };
}
