import { shipWal, type Shipped } from '../adapters/backup/ship-wal.ts';
import { openRemote } from '../adapters/rclone/remote.ts';
import type { ShipWalResult } from '../domain/backup.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { requireCopies } from './copy-set.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { knownSets, physicalFiles, recordOf, walFrom, type KnownSet } from './held-sets.ts';

/**
 * Ships new WAL to every off-site copy, behind the newest set that each of them holds. Cheap enough for every minute:
 * see `adapters/backup/ship-wal.ts` for what one run costs.
 */

export function createShipWalActivities(deps: Deps) {
  return { 'ship-wal': guardedBackup(deps, shipToAll) };
}

/** A ledger may be wrong of what others have done at the copy: once in this time all is compared again. */
const COMPARE_EVERY_MS = 24 * 3_600_000;

/** @throws DrError WAL_NOT_SHIPPED once every copy has ended, naming those that failed; NO_BACKUP */
async function shipToAll(call: BackupCall): Promise<ShipWalResult> {
  const { deployment, input } = call;
  const { backup } = deployment;
  requireCopies(call);
  const sets = await knownSets(backup, input.deployment);
  const [newest] = sets;
  if (!newest)
    throw new DrError('NO_BACKUP', {
      deployment: input.deployment,
      repository: backup.repository,
      reason: 'none is complete and signed',
    });
  const lines: string[] = [];
  const behind: string[] = [];
  const failures: string[] = [];
  await Promise.all(
    backup.copies.map(async (copy) => {
      try {
        const shipped = await shipTo(call, sets, copy);
        if (!shipped || isDue(newest, copy)) behind.push(copy.name);
        if (shipped) lines.push(lineOf(shipped));
        else lines.push(`${copy.name}: holds no set yet`);
      } catch (error) {
        call.signal.throwIfAborted();
        if (!(error instanceof DrError)) throw error;
        failures.push(error.message);
      }
    }),
  );
  if (failures.length > 0)
    throw new DrError('WAL_NOT_SHIPPED', { deployment: input.deployment, reason: failures.join('; ') });
  return { summary: lines.sort().join('; '), behind: behind.sort() };
}

async function shipTo(
  call: BackupCall,
  sets: readonly KnownSet[],
  copy: CopyConfig,
): Promise<Shipped | undefined> {
  const { backup } = call.deployment;
  const base = sets.find((set) => recordOf(set, copy.name));
  if (!base) return undefined;
  const database = await physicalFiles(call, base.signed);
  return shipWal({
    config: backup,
    copy,
    remote: await openRemote(copy, call.secret),
    signed: base.signed,
    record: recordOf(base, copy.name)!,
    database: database && { ...database, walFrom: walFrom(sets, copy.name, base.signed.manifest) },
    signingKey: await call.secret(backup.signingKey),
    signal: call.signal,
  });
}

/** Whether the newest set is to be copied as a whole: for the first time, or to compare all of it again. */
function isDue(newest: KnownSet, copy: CopyConfig): boolean {
  const record = recordOf(newest, copy.name);
  return !record || Date.now() - Date.parse(record.at) > COMPARE_EVERY_MS;
}

function lineOf({ record, segments, sentBytes }: Shipped): string {
  const through = record.walThrough === undefined ? '' : `, WAL there through ${record.walThrough}`;
  return `${record.copy}: ${segments} new WAL segments, ${formatBytes(sentBytes)} sent${through}`;
}
