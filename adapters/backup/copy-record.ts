import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import type { Secret } from '../../domain/secret.ts';
import { oneAtATime } from '../files/one-at-a-time.ts';
import { setFolder, type SignedManifest } from './repository.ts';
import { readSigned, writeSigned } from './signed.ts';

/** Where a set lies off-site: one signed file for each copy, bound to the manifest's bytes as an attestation is. */

export interface CopyRecord {
  readonly format: 'tyk-dr/copy/v1';
  readonly set: string;
  readonly manifestSha256: string;
  /** Its name under backup.copies. */
  readonly copy: string;
  readonly remote: string;
  /** The hash that the remote told of every file, or `download` where all were read back. */
  readonly provenBy: string;
  readonly files: number;
  /** When all that lies there was last compared with what was sent. */
  readonly at: string;
  /** The last WAL segment that was there. */
  readonly walThrough?: string;
  /** All that was archived before this moment is there. Absent in records of the first version. */
  readonly walAt?: string;
  /** When the set was restored from this copy alone, and what that took. */
  readonly restoredAt?: string;
  readonly restoredInMs?: number;
}

/** Where it is kept what was sent to a copy. */
export function ledgerFile(
  { repository }: Pick<BackupConfig, 'repository'>,
  deployment: string,
  copy: string,
) {
  return join(repository, deployment, 'copies', `${copy}.json`);
}

/**
 * A copy has the layout of the repository, with the pgBackRest repositories of the deployment inside: what is fetched
 * from it as a whole is a repository again.
 */
export function copyFolders(
  deployment: string,
  set: string,
  generation?: string,
): { readonly set: string; readonly pgbackrest?: string } {
  return {
    set: `${deployment}/${set}`,
    ...(generation === undefined ? {} : { pgbackrest: `${deployment}/pgbackrest/${generation}` }),
  };
}

export async function writeCopyRecord(
  config: BackupConfig,
  deployment: string,
  record: CopyRecord,
  signingKey: Secret,
): Promise<void> {
  const folder = setFolder(config, deployment, record.set);
  const name = `copy-${record.copy}.json`;
  await oneAtATime(join(folder, name), () => writeSigned(folder, name, record, signingKey));
}

/** The copies of a set, by name; what is signed by nobody whom we trust, or is of other bytes, does not count. */
export async function readCopyRecords(
  config: Pick<BackupConfig, 'repository' | 'trustedKeys'>,
  deployment: string,
  { manifest, sha256 }: SignedManifest,
): Promise<CopyRecord[]> {
  const folder = setFolder(config, deployment, manifest.set);
  const names = (await readdir(folder)).filter((name) => /^copy-[a-z0-9-]+\.json$/.test(name)).sort();
  const records: CopyRecord[] = [];
  for (const name of names) {
    const bytes = await readSigned(config, folder, name, manifest.set).catch(() => undefined);
    if (!bytes) continue;
    const record = JSON.parse(bytes.toString('utf8')) as CopyRecord;
    const bound = record.set === manifest.set && record.manifestSha256 === sha256;
    if (bound && name === `copy-${record.copy}.json`) records.push(record);
  }
  return records;
}
