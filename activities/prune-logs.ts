import { deleteChain, listChains, readChain } from '../adapters/backup/redis-aof.ts';
import { DrError } from '../domain/errors.ts';
import type { BackupCall } from './guard.ts';

/** Shipped append-only logs that no set of the repository could be recovered with any more. */

export interface PrunedLogs {
  readonly going: readonly string[];
  /** Their lists cannot be trusted: reported, never deleted. */
  readonly damaged: readonly string[];
}

/**
 * A log is used where it is newer than the RDB of a set: one that ends before the oldest set that stays is of no use.
 * The newest stays in any case: it is being written to.
 *
 * @param oldestKept when the oldest set that stays was made; undefined where none stays: then no log goes.
 */
export async function logsToGo(
  { deployment: { backup }, input }: BackupCall,
  oldestKept: string | undefined,
): Promise<PrunedLogs> {
  const going: string[] = [];
  const damaged: string[] = [];
  const [, ...older] = await listChains(backup, input.deployment);
  for (const chain of older) {
    try {
      const read = await readChain(backup, input.deployment, chain);
      const end = read?.pieces.at(-1)?.readAt;
      // One whose first piece never came has no list, and holds nothing.
      if (oldestKept !== undefined && (end ?? '') < oldestKept) going.push(chain);
    } catch (error) {
      if (!(error instanceof DrError)) throw error;
      damaged.push(`redis-aof/${chain} (${error.message})`);
    }
  }
  return { going, damaged };
}

export async function deleteLogs(
  { deployment: { backup }, input }: BackupCall,
  logs: readonly string[],
): Promise<void> {
  for (const chain of logs) await deleteChain(backup, input.deployment, chain);
}
