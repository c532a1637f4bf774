import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import type { CopyConfig } from '../../domain/config-copies.ts';
import type { Secret } from '../../domain/secret.ts';
import { snapshotKind } from '../../domain/snapshot.ts';
import { infoFiles, laterArchive } from '../postgres/repository-extras.ts';
import type { RepositoryFile } from '../postgres/repository-files.ts';
import { hashKind } from '../rclone/rclone.ts';
import { remoteText, type Remote } from '../rclone/remote.ts';
import { CopyLedger } from './copy-ledger.ts';
import { copyFolders, writeCopyRecord, type CopyRecord } from './copy-record.ts';
import { setFolder, type SignedManifest } from './repository.ts';
import { digestsOf, sendFiles, type FileToSend, type Sender } from './send.ts';

/**
 * Copies a sealed set to one off-site copy. As in the repository itself the manifest comes last, after everything
 * was found whole there: where a copy has no manifest it has no set.
 */

export interface CopyRequest {
  readonly config: BackupConfig;
  readonly copy: CopyConfig;
  readonly remote: Remote;
  readonly signed: SignedManifest;
  /** The pgBackRest files of the set, and the folder of their generation. */
  readonly database?: { readonly root: string; readonly files: readonly RepositoryFile[] } | undefined;
  readonly signingKey: Secret;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (text: string) => void;
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED where the set itself is not whole; COPY_UNUSABLE, COPY_DAMAGED */
export async function copySet(request: CopyRequest): Promise<{ record: CopyRecord; sentBytes: number }> {
  const { config, copy, remote, signed, database, signal } = request;
  const { manifest } = signed;
  const { deployment, set } = manifest;
  const say = (text: string): void => request.onProgress?.(`${copy.name}: ${text}`);
  const kind = await hashKind(remote, { signal });
  // A snapshot is copied while a set may be: each has a ledger of its own.
  const own = [copy.name, snapshotKind(set)].filter((word) => word !== undefined).join('.');
  const ledgerFile = join(config.repository, deployment, 'copies', `${own}.json`);
  const ledger = await CopyLedger.open(ledgerFile, remoteText(copy));
  const sender: Sender = { remote, kind, ledger, set, signal };
  const physical = manifest.database?.method === 'pgbackrest' ? manifest.database : undefined;
  const folders = copyFolders(deployment, set, physical?.generation);
  const from = setFolder(config, deployment, set);
  let sentBytes = 0;
  const send = async (local: string, folder: string, files: readonly FileToSend[]): Promise<void> => {
    sentBytes += await sendFiles(sender, { from: local, folder, files });
  };

  let walThrough: string | undefined;
  if (database && physical && folders.pgbackrest !== undefined) {
    say('files of the database backup');
    const later = await laterArchive(database.root, database.files, signal);
    walThrough = later.through;
    await send(database.root, folders.pgbackrest, [...database.files, ...later.files]);
    // pgBackRest looks here first: what they name is there by now.
    await send(database.root, folders.pgbackrest, await present(database.root, infoFiles(physical)));
  }
  say('objects');
  const objects = manifest.objects.map(({ file, cipher }) => ({ path: file, ...cipher }));
  await send(from, folders.set, objects);
  say('manifest');
  for (const name of ['verified.json', 'manifest.json'])
    for (const file of [`${name}.sig`, name]) await send(from, folders.set, await present(from, [file]));

  const record: CopyRecord = {
    format: 'tyk-dr/copy/v1',
    set,
    manifestSha256: signed.sha256,
    copy: copy.name,
    remote: remoteText(copy),
    provenBy: kind ?? 'download',
    files: objects.length + (database?.files.length ?? 0),
    at: new Date().toISOString(),
    ...(walThrough === undefined ? {} : { walThrough }),
  };
  await writeCopyRecord(config, deployment, record, request.signingKey);
  return { record, sentBytes };
}

/** Those of the files that there are, as they are now. */
async function present(folder: string, paths: readonly string[]): Promise<FileToSend[]> {
  const files: FileToSend[] = [];
  for (const path of paths) {
    const found = await digestsOf(join(folder, path), ['sha256']);
    if (found) files.push({ path, sha256: found.digests[0]!, bytes: found.bytes });
  }
  return files;
}
