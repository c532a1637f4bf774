import { readCopyRecords, type CopyRecord } from '../adapters/backup/copy-record.ts';
import { isUsable, listSets, readManifest, type SignedManifest } from '../adapters/backup/repository.ts';
import type { CopiedDatabase } from '../adapters/backup/copy.ts';
import { repositoryFolder } from '../adapters/postgres/pgbackrest-config.ts';
import type { RepositoryFile } from '../adapters/postgres/repository-files.ts';
import type { BackupConfig } from '../domain/config.ts';
import type { Manifest } from '../domain/manifest.ts';
import { requireRepository } from './endpoints.ts';
import type { BackupCall } from './guard.ts';
import { readPart, setOf } from './open-set.ts';

/** Which sets of the repository lie at which copy, as its signed records have it. */

export interface KnownSet {
  readonly signed: SignedManifest;
  readonly records: readonly CopyRecord[];
}

/** Each costs a few signatures; retention keeps fewer. */
const MOST_SETS = 100;

/** Usable sets, newest first. */
export async function knownSets(config: BackupConfig, deployment: string): Promise<KnownSet[]> {
  const usable = (await listSets(config, deployment)).filter(isUsable).slice(0, MOST_SETS);
  return Promise.all(
    usable.map(async ({ set }) => {
      const signed = await readManifest(config, deployment, set);
      return { signed, records: await readCopyRecords(config, deployment, signed) };
    }),
  );
}

export function recordOf({ records }: KnownSet, copy: string): CopyRecord | undefined {
  return records.find((record) => record.copy === copy);
}

/** What the set needs of pgBackRest's repository. Undefined for any other database. */
export async function physicalFiles(
  call: BackupCall,
  { manifest }: SignedManifest,
): Promise<CopiedDatabase | undefined> {
  if (manifest.database?.method !== 'pgbackrest') return undefined;
  return {
    root: repositoryFolder(requireRepository(call.deployment.backup), manifest.database.generation),
    files: await readPart<RepositoryFile[]>(setOf(call, manifest.set), manifest, 'pgbackrest-files'),
  };
}

/** The first segment of the oldest set that a copy holds in the same repository. */
export function walFrom(sets: readonly KnownSet[], copy: string, manifest: Manifest): string | undefined {
  const { database } = manifest;
  if (database?.method !== 'pgbackrest') return undefined;
  const starts = sets.flatMap((set) => {
    const other = set.signed.manifest.database;
    const same = other?.method === 'pgbackrest' && other.generation === database.generation;
    return same && recordOf(set, copy) ? [other.walStart] : [];
  });
  return starts.sort()[0];
}
