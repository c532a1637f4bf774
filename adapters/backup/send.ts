import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { hashes, listFiles, upload, type HashKind } from '../rclone/rclone.ts';
import type { Remote } from '../rclone/remote.ts';
import type { CopyLedger } from './copy-ledger.ts';

/**
 * Sends files to a copy, each proven twice: what is read here has the digest that the signed manifest gives it, and
 * what lies there afterwards is what was read. Files that are there already are proven instead of sent, so that an
 * attempt which was cut off goes on where it stopped. Nothing is ever deleted.
 */

export interface FileToSend {
  /** Relative to both folders. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface FileGroup {
  readonly from: string;
  /** At the remote. */
  readonly folder: string;
  readonly files: readonly FileToSend[];
  /** Sizes of what the folder holds, or the ledger's word for it: then what the ledger does not name is sent. */
  readonly there: Listing | 'as-noted';
}

export type Listing = ReadonlyMap<string, number>;

/** Sizes by path of all files below a folder of a remote. */
export async function listingOf(
  remote: Remote,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  return new Map((await listFiles(remote, folder, { signal })).map(({ path, bytes }) => [path, bytes]));
}

export interface Sender {
  readonly remote: Remote;
  /** Undefined where the remote knows no hashes: its files are read back instead. */
  readonly kind: HashKind | undefined;
  readonly ledger: CopyLedger;
  /** What the errors call it. */
  readonly set: string;
  readonly signal?: AbortSignal | undefined;
}

/** An object in several parts has no hash that a server has computed over the whole: it is read back. */
const PARTS_FROM_BYTES = 5 * 2 ** 30;

/** @returns how many bytes had to be sent. @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, COPY_UNUSABLE, COPY_DAMAGED */
export async function sendFiles(sender: Sender, group: FileGroup): Promise<number> {
  const { remote, ledger, signal } = sender;
  const { from, folder, files, there } = group;
  const sizeThere = (path: string): number | undefined =>
    there === 'as-noted' ? undefined : there.get(path);
  const known = ({ path, sha256, bytes }: FileToSend): boolean =>
    ledger.has(`${folder}/${path}`, sha256) && (there === 'as-noted' || there.get(path) === bytes);
  const unproven = await mapParallel(
    files.filter((file) => !known(file)),
    (file) => readHere(sender, from, file),
  );
  const present = unproven.filter(({ path, bytes }) => sizeThere(path) === bytes);
  const whole = await provenThere(sender, folder, present);
  const missing = unproven.filter((file) => !whole.has(file.path));
  if (missing.length > 0) {
    await upload(
      remote,
      from,
      folder,
      missing.map(({ path }) => path),
      { signal },
    );
    const arrived = await provenThere(sender, folder, missing);
    const bad = missing.find(({ path }) => !arrived.has(path));
    if (bad)
      throw new DrError('COPY_DAMAGED', {
        file: `${folder}/${bad.path}`,
        copy: remote.name,
        reason: 'it is missing, or its hash differs',
      });
  }
  for (const { path, sha256 } of unproven) ledger.add(`${folder}/${path}`, sha256);
  if (unproven.length > 0) await ledger.save();
  return missing.reduce((sum, { bytes }) => sum + bytes, 0);
}

interface ReadFile extends FileToSend {
  /** In the kind of the remote, or SHA-256. */
  readonly hash: string;
}

/** @returns the paths of those whose bytes at the remote are the ones that were read here. */
async function provenThere(
  { remote, kind, signal }: Sender,
  folder: string,
  files: readonly ReadFile[],
): Promise<Set<string>> {
  const whole = new Set<string>();
  for (const download of [false, true]) {
    const these = files.filter(({ bytes }) => (kind === undefined || bytes >= PARTS_FROM_BYTES) === download);
    if (these.length === 0) continue;
    const paths = these.map(({ path }) => path);
    const how = { kind: kind ?? 'sha256', download } as const;
    const found = await hashes(remote, folder, paths, how, { signal });
    for (const { path, hash } of these) if (found.get(path) === hash) whole.add(path);
  }
  return whole;
}

/** A damaged file must not be spread: what is sent is what the manifest says. */
async function readHere({ kind, set, signal }: Sender, from: string, file: FileToSend): Promise<ReadFile> {
  const found = await digestsOf(join(from, file.path), ['sha256', kind ?? 'sha256'], signal);
  if (!found) throw new DrError('OBJECT_MISSING', { object: file.path, set });
  const [sha256, hash] = found.digests;
  if (sha256 !== file.sha256)
    throw new DrError('OBJECT_DAMAGED', { object: file.path, set, reason: 'its SHA-256 differs' });
  return { ...file, hash: hash! };
}

const BUFFER_BYTES = 1 << 20;

/** Several digests of a file in one reading. Undefined where it is not there. */
export async function digestsOf(
  file: string,
  kinds: readonly string[],
  signal?: AbortSignal,
): Promise<{ digests: string[]; bytes: number } | undefined> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new DrError(
      'REPOSITORY_UNREADABLE',
      { path: file, reason: error.code ?? error.message },
      { cause: error },
    );
  });
  if (!handle) return undefined;
  try {
    const { size } = await handle.stat();
    const all = new Map([...new Set(kinds)].map((kind) => [kind, createHash(kind)] as const));
    const buffer = Buffer.allocUnsafe(Math.min(BUFFER_BYTES, Math.max(size, 1)));
    let bytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      for (const each of all.values()) each.update(buffer.subarray(0, bytesRead));
    }
    const results = new Map([...all].map(([kind, each]) => [kind, each.digest('hex')] as const));
    return { digests: kinds.map((kind) => results.get(kind)!), bytes };
  } finally {
    await handle.close();
  }
}
