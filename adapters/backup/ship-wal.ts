import type { BackupConfig } from '../../domain/config.ts';
import type { CopyConfig } from '../../domain/config-copies.ts';
import type { Secret } from '../../domain/secret.ts';
import { infoFiles, segmentOf } from '../postgres/repository-extras.ts';
import { listFiles, type HashKind } from '../rclone/rclone.ts';
import { remoteText, type Remote } from '../rclone/remote.ts';
import { archivedSince, NOTES, present, type CopiedDatabase } from './copy.ts';
import { CopyLedger } from './copy-ledger.ts';
import { copyFolders, ledgerFile, writeCopyRecord, type CopyRecord } from './copy-record.ts';
import { setFolder, type SignedManifest } from './repository.ts';
import { sendFiles, type Sender } from './send.ts';

/**
 * Brings to a copy what has come since it got a set: WAL, and the set's proof. It believes the ledger and lists
 * nothing, so that one run costs one question to the copy, and where there is something new one upload and one
 * comparison, however large the archive and the copy are.
 */

export interface ShipRequest {
  readonly config: BackupConfig;
  readonly copy: CopyConfig;
  readonly remote: Remote;
  /** A set that the copy holds. */
  readonly signed: SignedManifest;
  readonly record: CopyRecord;
  readonly database?: CopiedDatabase | undefined;
  readonly signingKey: Secret;
  readonly signal?: AbortSignal | undefined;
}

export interface Shipped {
  readonly record: CopyRecord;
  readonly segments: number;
  readonly sentBytes: number;
}

/**
 * @returns undefined where the copy does not hold the set after all, or nobody knows any more what was sent to it:
 *   then it must be copied as a whole.
 * @throws DrError COPY_UNUSABLE, COPY_DAMAGED
 */
export async function shipWal(request: ShipRequest): Promise<Shipped | undefined> {
  const { config, copy, remote, signed, record, database, signal } = request;
  const { manifest } = signed;
  const { deployment, set } = manifest;
  const physical = manifest.database?.method === 'pgbackrest' ? manifest.database : undefined;
  const folders = copyFolders(deployment, set, physical?.generation);
  const ledger = await CopyLedger.open(ledgerFile(config, deployment, copy.name), remoteText(copy));
  if (!ledger.has(`${folders.set}/${MANIFEST}`, signed.sha256)) return undefined;
  const found = await listFiles(remote, folders.set, { filter: [`--include=/${MANIFEST}`], signal });
  if (found.length === 0) return undefined;

  const kind = record.provenBy === 'download' ? undefined : (record.provenBy as HashKind);
  const sender: Sender = { remote, kind, ledger, set, signal };
  let sentBytes = 0;
  let segments = 0;
  let wal: Pick<CopyRecord, 'walThrough' | 'walAt'> = {};
  if (database && folders.pgbackrest !== undefined) {
    const { pgbackrest: folder } = folders;
    const later = await archivedSince(database, folder, ledger, signal);
    wal = later.point;
    const fresh = later.files.filter(({ path }) => ledger.get(`${folder}/${path}`) === undefined);
    segments = fresh.filter(({ path }) => segmentOf(path) !== undefined).length;
    const from = database.root;
    sentBytes += await sendFiles(sender, { from, folder, there: 'as-noted', files: fresh });
    // Not the catalogue of the backups: it may name one that is on no copy yet.
    const info = await present(
      from,
      infoFiles(physical!).filter((path) => path.startsWith('archive/')),
    );
    sentBytes += await sendFiles(sender, { from, folder, there: 'as-noted', files: info });
  }
  const from = setFolder(config, deployment, set);
  const notes = await present(from, NOTES);
  sentBytes += await sendFiles(sender, { from, folder: folders.set, there: 'as-noted', files: notes });
  const fresh: CopyRecord = { ...record, ...wal };
  await writeCopyRecord(config, deployment, fresh, request.signingKey);
  return { record: fresh, segments, sentBytes };
}

const MANIFEST = 'manifest.json';
