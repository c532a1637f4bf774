import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createSet } from '../adapters/backup/repository.ts';
import { noteMaking, removeUnfinished } from '../adapters/backup/unfinished.ts';
import { repositoryError } from '../adapters/files/disk-error.ts';
import { clearScratchFolders } from '../adapters/host/scratch-folder.ts';
import { killScratchProcesses } from '../adapters/host/scratch-processes.ts';
import { awaitLockFree } from '../adapters/postgres/staging.ts';
import { clusterIfOurs } from '../domain/cluster.ts';
import type { Site } from '../domain/config.ts';
import { snapshotKind } from '../domain/snapshot.ts';
import { methodOf } from './database/choose.ts';
import type { BackupCall } from './guard.ts';

/**
 * Where a backup and a proof put what is gone when they have ended, and how the next one of either removes what a
 * killed one has left: the clear copy of an RDB among it. One of them runs for a deployment at a time, and beside it one
 * for each kind of snapshot: each clears up after its own kind only.
 */

/** Below the site's own folder: `scratch` of a backup, `verify` of a proof. */
export function scratchPath({ stateDir }: Site, use: 'scratch' | 'verify', set: string): string {
  return join(stateDir, `${use}-${set}`);
}

/** The environment mark of processes that belong to a proof beside this site. */
export function scratchOwner({ stateDir }: Site): string {
  return stateDir;
}

/** What a part of a set begins with. @throws DrError DISK_FAILED */
export async function beginPart(call: BackupCall): Promise<void> {
  const { deployment, input } = call;
  await clearLeftovers(call, input.set);
  try {
    const folder = await createSet(deployment.backup, input.deployment, input.set);
    await removeUnfinished(dirname(folder), input.set);
    await noteMaking(folder, input.run);
  } catch (error) {
    throw repositoryError(deployment.backup.repository, error);
  }
}

/** @param current a set whose own folders are in use; none for a proof, which has not begun. */
export async function clearLeftovers(call: BackupCall, current?: string): Promise<void> {
  const { site } = call;
  const isOld = (name: string): boolean => current === undefined || !name.includes(current);
  const kind = snapshotKind(call.input.set);
  if (kind !== undefined) {
    await clearScratchFolders();
    return removeMatching(site.stateDir, (name) => SCRATCH.exec(name)?.[1] === kind && isOld(name));
  }
  await killScratchProcesses(scratchOwner(site));
  await clearScratchFolders();
  await removeMatching(site.stateDir, (name) => isOfSet(name) && isOld(name));
  if (!site.database) return;
  const prefix = methodOf(site.database).scratchFolder({ ...call, input: { ...call.input, set: '' } });
  const ours = (name: string): boolean => name.startsWith(basename(prefix)) && isOld(name);
  const locks = (await matching(dirname(prefix), ours)).filter((path) => path.endsWith('.lock'));
  // The processes of a killed server need a moment to end.
  for (const lock of locks) await awaitLockFree(lock);
  await removeMatching(dirname(prefix), ours);
  const cluster = clusterIfOurs(site);
  if (!cluster) return;
  // pgBackRest's configuration for the restore: it holds the passphrase.
  const { configFile } = cluster.pgbackrest;
  const conf = `${basename(configFile)}.${basename(prefix)}`;
  await removeMatching(dirname(configFile), (name) => name.startsWith(conf) && isOld(name));
}

const SCRATCH = /^(?:scratch|verify)-\d{8}T\d{6}Z-[0-9a-f]{4}(?:-(redis|config))?/;

function isOfSet(name: string): boolean {
  const found = SCRATCH.exec(name);
  return found !== null && found[1] === undefined;
}

async function removeMatching(folder: string, fits: (name: string) => boolean): Promise<void> {
  for (const path of await matching(folder, fits)) await rm(path, { recursive: true, force: true });
}

async function matching(folder: string, fits: (name: string) => boolean): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names.filter(fits).map((name) => join(folder, name));
}
