import { listChains, readChain } from '../adapters/backup/redis-aof.ts';
import type { BackupConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { assemble, type AofChain, type Assembled } from '../domain/redis-aof.ts';

/** The shipped append-only log that a recovery would use in place of an RDB. */

interface FoundLog {
  readonly chain: AofChain;
  readonly log: Assembled;
}

/**
 * @param manifest of the set or the snapshot that Redis comes from otherwise.
 * @returns undefined where none is newer than its RDB, or the plan asks for the set's own moment
 * @throws DrError for one whose list is damaged
 */
export async function newestLog(
  backup: Pick<BackupConfig, 'repository' | 'trustedKeys'>,
  { point, deployment }: Pick<RecoverPlan, 'point' | 'deployment'>,
  manifest: Manifest,
): Promise<FoundLog | undefined> {
  if (point.kind === 'set' || !manifest.redis) return undefined;
  const until = point.kind === 'time' ? point.at : undefined;
  for (const id of await listChains(backup, deployment)) {
    const chain = await readChain(backup, deployment, id);
    if (chain?.site !== manifest.site) continue;
    const log = assemble(chain, until);
    // Of a moment before the first piece of this one, an older one may know.
    if (!log && until !== undefined && (chain.pieces[0]?.readAt ?? '') > until) continue;
    if (!log)
      throw new DrError('OBJECT_DAMAGED', {
        object: 'redis-aof',
        set: id,
        reason: 'a piece is missing from its list',
      });
    return log.holdsUntil > manifest.redis.takenAt ? { chain, log } : undefined;
  }
  return undefined;
}
