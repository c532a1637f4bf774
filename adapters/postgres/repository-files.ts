import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DrError } from '../../domain/errors.ts';
import { mapParallel } from '../files/map-parallel.ts';
import type { PostgresFacts } from '../../domain/manifest.ts';
import { readBackupManifest } from './backup-manifest.ts';
import { DEFAULT_SEGMENT_BYTES, unbroken } from './archive-chain.ts';
import { SEGMENT_NAME, segmentTimeline } from './lsn.ts';
import type { Pgbackrest } from './pgbackrest.ts';
import { listArchive } from './wal.ts';

/**
 * Binds a backup set to the files of pgBackRest's repository: their digests are an object of the set, so that a
 * recovery can prove the repository whole before it switches anything, with nothing but the files.
 *
 * Left out are backup.info, archive.info and their copies: they change with every backup. See repository-info.ts.
 */

export interface RepositoryFile {
  /** Relative to the folder of the generation. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

type ListRequest = Pick<
  PostgresFacts,
  'label' | 'stanza' | 'timeline' | 'walStart' | 'walStop' | 'walSegmentBytes'
>;

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/**
 * All files that restoring a label to the set's restore point needs, in the order of their paths.
 *
 * @param root the folder of the generation, see `repositoryFolder`.
 * @throws DrError OBJECT_MISSING, WAL_MISSING, TOOL_FAILED.
 */
export async function listRepositoryFiles(
  tool: Pgbackrest,
  root: string,
  facts: ListRequest,
  options: HashOptions = {},
): Promise<RepositoryFile[]> {
  const manifest = await readBackupManifest(tool, facts.label);
  const { segments, histories } = await listArchive(tool, manifest.archiveId);
  const wal = segments.filter(({ segment }) => segment >= facts.walStart && segment <= facts.walStop);
  const present = new Set(wal.map(({ segment }) => segment));
  for (const end of [facts.walStart, facts.walStop]) {
    if (SEGMENT_NAME.test(end) && present.has(end)) continue;
    throw new DrError('WAL_MISSING', { segment: end });
  }
  const { missing } = unbroken(present, facts.walStart, facts.walSegmentBytes ?? DEFAULT_SEGMENT_BYTES);
  if (missing !== undefined) throw new DrError('WAL_MISSING', { segment: missing });
  const archive = `archive/${facts.stanza}/${manifest.archiveId}`;
  const paths = [
    ...manifest.files.map((file) => `backup/${facts.stanza}/${file}`),
    ...wal.map(({ file }) => `${archive}/${file}`),
    // How the timeline came about: those of later ones are written after the backup.
    ...histories
      .filter((name) => segmentTimeline(name) <= facts.timeline)
      .map((name) => `${archive}/${name}`),
  ].sort();
  const progress = counter(options);
  return mapParallel(paths, async (path) => {
    const found = await fingerprint(join(root, path), options.signal);
    if (!found) throw new DrError('OBJECT_MISSING', { object: path, set: facts.label });
    progress(found.bytes);
    return { path, ...found };
  });
}

/**
 * Compares the repository with the list: sizes first, as that finds what is missing or cut short at once.
 *
 * @param set what the errors call it: the id of the backup set.
 * @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, naming the first such file in the order of the list.
 */
export async function verifyRepositoryFiles(
  root: string,
  files: readonly RepositoryFile[],
  set: string,
  options: HashOptions = {},
): Promise<void> {
  const [first] = await findDamage(root, files, set, options);
  if (first) throw first.error;
}

export interface Damage {
  readonly file: RepositoryFile;
  readonly error: DrError;
}

/** @returns the files that are not as the list says, in its order: all of them, or as soon as there is one, some. */
export async function findDamage(
  root: string,
  files: readonly RepositoryFile[],
  set: string,
  options: HashOptions & { readonly all?: boolean } = {},
): Promise<Damage[]> {
  const found = new Map<RepositoryFile, DrError>();
  const missing = (file: RepositoryFile) =>
    found.set(file, new DrError('OBJECT_MISSING', { object: file.path, set }));
  const damaged = (file: RepositoryFile, reason: string) =>
    found.set(file, new DrError('OBJECT_DAMAGED', { object: file.path, set, reason }));
  const enough = (): boolean => found.size > 0 && options.all !== true;
  await mapParallel(files, async (file) => {
    options.signal?.throwIfAborted();
    const entry = await stat(join(root, file.path)).catch(() => undefined);
    if (!entry?.isFile()) missing(file);
    else if (entry.size !== file.bytes) damaged(file, `${entry.size} bytes instead of ${file.bytes}`);
  });
  const progress = counter(options);
  await mapParallel(files, async (file) => {
    if (enough() || found.has(file)) return;
    const print = await fingerprint(join(root, file.path), options.signal);
    if (!print) missing(file);
    else if (print.sha256 !== file.sha256) damaged(file, 'its SHA-256 differs');
    progress(print?.bytes ?? 0);
  });
  return files.flatMap((file) => {
    const error = found.get(file);
    return error ? [{ file, error }] : [];
  });
}

export async function fingerprint(
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ sha256: string; bytes: number } | undefined> {
  try {
    const { size } = await stat(path);
    return size <= SMALL_BYTES ? await ofSmall(path, signal) : await ofLarge(path, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A database has a thousand small files; a stream for each costs several times what reading it does. */
const SMALL_BYTES = 1 << 20;

async function ofSmall(path: string, signal: AbortSignal | undefined) {
  const content = await readFile(path, signal ? { signal } : {});
  return { sha256: hash('sha256', content), bytes: content.length };
}

async function ofLarge(path: string, signal: AbortSignal | undefined) {
  const sha256 = createHash('sha256');
  let bytes = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) {
        bytes += chunk.length;
        sha256.update(chunk);
      }
    },
    ...(signal ? [{ signal }] : []),
  );
  return { sha256: sha256.digest('hex'), bytes };
}

function counter(options: HashOptions): (bytes: number) => void {
  let done = 0;
  return (bytes) => options.onProgress?.((done += bytes));
}
