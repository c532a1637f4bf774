import { requireNewestUsable } from '../adapters/backup/repository.ts';
import type { BackupCall } from './guard.ts';

/** A set by its id, or the newest of all: that is the one which nobody has looked at yet. @throws DrError NO_BACKUP */
export async function chosenSet({ deployment, input }: BackupCall): Promise<string> {
  return input.set === 'latest' ? requireNewestUsable(deployment.backup, input.deployment) : input.set;
}

export async function withChosenSet(call: BackupCall): Promise<BackupCall> {
  return { ...call, input: { ...call.input, set: await chosenSet(call) } };
}
