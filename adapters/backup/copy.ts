import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import type { CopyConfig } from '../../domain/config-copies.ts';
import type { Secret } from '../../domain/secret.ts';
import { infoFiles, laterArchive } from '../postgres/repository-extras.ts';
import type { RepositoryFile } from '../postgres/repository-files.ts';
import { hashKind } from '../rclone/rclone.ts';
import { remoteText, type Remote } from '../rclone/remote.ts';
import { CopyLedger } from './copy-ledger.ts';
import { copyFolders, ledgerFile, readCopyRecords, writeCopyRecord, type CopyRecord } from './copy-record.ts';
import { setFolder, type SignedManifest } from './repository.ts';
import { digestsOf, listingOf, sendFiles, type FileToSend, type Sender } from './send.ts';

/**
 * Copies a sealed set to one off-site copy. As in the repository itself the manifest comes last, after everything
 * was found whole there: where a copy has no manifest it has no set.
 */

export interface CopyRequest {
  readonly config: BackupConfig;
  readonly copy: CopyConfig;
  readonly remote: Remote;
  readonly signed: SignedManifest;
  readonly database?: CopiedDatabase | undefined;
  readonly signingKey: Secret;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (text: string) => void;
}

export interface CopiedDatabase {
  /** The folder of the generation. */
  readonly root: string;
  /** The pgBackRest files of the set. */
  readonly files: readonly RepositoryFile[];
  /** The first WAL segment of the oldest set there: between two sets of a copy there is no gap. */
  readonly walFrom?: string | undefined;
}

export interface ArchivedSince {
  readonly files: readonly RepositoryFile[];
  /** What the record of the copy says once they are there. */
  readonly point: Pick<CopyRecord, 'walThrough' | 'walAt'>;
}

/** What the archive has got behind the set. It counts as of the moment before it was listed. */
export async function archivedSince(
  { root, files, walFrom }: CopiedDatabase,
  folder: string,
  ledger: CopyLedger,
  signal: AbortSignal | undefined,
): Promise<ArchivedSince> {
  const walAt = new Date().toISOString();
  const known = (path: string): string | undefined => ledger.get(`${folder}/${path}`);
  const later = await laterArchive(root, files, { from: walFrom, known, signal });
  return {
    files: later.files,
    point: later.through === undefined ? {} : { walThrough: later.through, walAt },
  };
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED where the set itself is not whole; COPY_UNUSABLE, COPY_DAMAGED */
export async function copySet(request: CopyRequest): Promise<{ record: CopyRecord; sentBytes: number }> {
  const { config, copy, remote, signed, database, signal } = request;
  const { manifest } = signed;
  const { deployment, set } = manifest;
  const say = (text: string): void => request.onProgress?.(`${copy.name}: ${text}`);
  const kind = await hashKind(remote, { signal });
  const ledger = await CopyLedger.open(ledgerFile(config, deployment, copy.name), remoteText(copy));
  const sender: Sender = { remote, kind, ledger, set, signal };
  const physical = manifest.database?.method === 'pgbackrest' ? manifest.database : undefined;
  const folders = copyFolders(deployment, set, physical?.generation);
  let sentBytes = 0;

  let wal: Pick<CopyRecord, 'walThrough' | 'walAt'> = {};
  if (database && physical && folders.pgbackrest !== undefined) {
    say('files of the database backup');
    const { pgbackrest: folder } = folders;
    const later = await archivedSince(database, folder, ledger, signal);
    wal = later.point;
    const there = await listingOf(remote, folder, signal);
    const files = [...database.files, ...later.files];
    sentBytes += await sendFiles(sender, { from: database.root, folder, there, files });
    // pgBackRest looks here first: what they name is there by now.
    const info = await present(database.root, infoFiles(physical));
    sentBytes += await sendFiles(sender, { from: database.root, folder, there, files: info });
  }
  say('objects');
  const from = setFolder(config, deployment, set);
  const there = await listingOf(remote, folders.set, signal);
  const objects = manifest.objects.map(({ file, cipher }) => ({ path: file, ...cipher }));
  const files = [...objects, ...(await present(from, ['manifest.json.sig', ...NOTES]))];
  sentBytes += await sendFiles(sender, { from, folder: folders.set, there, files });
  say('manifest');
  const last = await present(from, ['manifest.json']);
  sentBytes += await sendFiles(sender, { from, folder: folders.set, there, files: last });

  const before = (await readCopyRecords(config, deployment, signed)).find((each) => each.copy === copy.name);
  const record: CopyRecord = {
    ...(before?.restoredAt === undefined ? {} : { restoredAt: before.restoredAt }),
    ...(before?.restoredInMs === undefined ? {} : { restoredInMs: before.restoredInMs }),
    format: 'tyk-dr/copy/v1',
    set,
    manifestSha256: signed.sha256,
    copy: copy.name,
    remote: remoteText(copy),
    provenBy: kind ?? 'download',
    files: objects.length + (database?.files.length ?? 0),
    at: new Date().toISOString(),
    ...wal,
  };
  await writeCopyRecord(config, deployment, record, request.signingKey);
  return { record, sentBytes };
}

/** What may come to a set after it was sealed: its proof, and that somebody holds it. */
export const NOTES = ['verified.json.sig', 'verified.json', 'hold.json'];

/** Those of the files that there are, as they are now. */
export async function present(folder: string, paths: readonly string[]): Promise<FileToSend[]> {
  const files: FileToSend[] = [];
  for (const path of paths) {
    const found = await digestsOf(join(folder, path), ['sha256']);
    if (found) files.push({ path, sha256: found.digests[0]!, bytes: found.bytes });
  }
  return files;
}
