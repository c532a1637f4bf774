import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PostgresFacts } from '../../domain/manifest.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { fingerprint, type RepositoryFile } from './repository-files.ts';

/** What a copy of a pgBackRest repository holds besides the files that a set lists: its catalogues, and later WAL. */

/** Rewritten with every backup; each with a copy that pgBackRest falls back to. */
export function infoFiles({ stanza }: Pick<PostgresFacts, 'stanza'>): string[] {
  return [`archive/${stanza}/archive.info`, `backup/${stanza}/backup.info`].flatMap((file) => [
    `${file}.copy`,
    file,
  ]);
}

/** An archived segment, or the history of a timeline; what pgBackRest is still writing has another name. */
const ARCHIVED = /(^|\/)([0-9A-F]{24})-[0-9a-f]{40}(\.[a-z0-9]+)?$/;
const HISTORY = /(^|\/)[0-9A-F]{8}\.history$/;

/** The folder of the archive that the files of a set belong to: `archive/acme/15-1`. */
export function archiveFolder(files: readonly Pick<RepositoryFile, 'path'>[]): string | undefined {
  const wal = files.find(({ path }) => ARCHIVED.test(path))?.path;
  return wal === undefined ? undefined : dirname(dirname(wal));
}

export function segmentOf(path: string): string | undefined {
  return ARCHIVED.exec(path)?.[2];
}

export interface LaterArchive {
  readonly files: readonly RepositoryFile[];
  /** The last segment that the archive holds. */
  readonly through: string | undefined;
}

interface LaterOptions {
  /** Of WAL from here on, where that is earlier than the set's own. */
  readonly from?: string | undefined;
  /** The SHA-256 of what need not be read again: no name in an archive is ever used twice. */
  readonly known?: ((path: string) => string | undefined) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * WAL that was archived after the set, and the histories of its timelines: with them a recovery from the copy comes
 * nearer to the end than the set itself.
 */
export async function laterArchive(
  root: string,
  files: readonly RepositoryFile[],
  { from, known, signal }: LaterOptions = {},
): Promise<LaterArchive> {
  const folder = archiveFolder(files);
  if (folder === undefined) return { files: [], through: undefined };
  const names = await readdir(join(root, folder), { recursive: true }).catch(() => [] as string[]);
  const later = laterOf(
    names.map((name) => `${folder}/${name}`),
    files,
    from,
  );
  const found = await mapParallel(later, async (path) => {
    const sha256 = known?.(path);
    const print =
      sha256 === undefined
        ? await fingerprint(join(root, path), signal)
        : { sha256, bytes: (await stat(join(root, path))).size };
    return print ? [{ path, ...print }] : [];
  });
  const all = [...files.map(({ path }) => path), ...later].flatMap((path) => segmentOf(path) ?? []);
  return { files: found.flat(), through: all.sort().at(-1) };
}

/**
 * When the last segment came to the archive: nothing in it was committed later. Undefined where there is none here.
 *
 * @param root of the repository of one generation.
 */
export async function archivedUntil(
  root: string,
  { stanza }: Pick<PostgresFacts, 'stanza'>,
): Promise<string | undefined> {
  const folder = join(root, 'archive', stanza);
  const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const newest = names
    .flatMap((path) => {
      const segment = segmentOf(path);
      return segment === undefined ? [] : [{ path, segment }];
    })
    .sort((a, b) => (a.segment < b.segment ? -1 : 1))
    .at(-1);
  const found = newest && (await stat(join(folder, newest.path)).catch(() => undefined));
  return found?.mtime.toISOString();
}

/**
 * Those of an archive's paths that a recovery of the set can use, and that the set does not list itself.
 *
 * @param from the first segment that counts, where that is earlier than the set's own.
 */
export function laterOf(
  paths: readonly string[],
  files: readonly Pick<RepositoryFile, 'path'>[],
  from?: string,
): string[] {
  const own = files.flatMap(({ path }) => segmentOf(path) ?? []).sort()[0] ?? '';
  const first = from !== undefined && from < own ? from : own;
  const listed = new Set(files.map(({ path }) => path));
  return paths
    .filter((path) => !listed.has(path) && (HISTORY.test(path) || (segmentOf(path) ?? '') > first))
    .sort();
}
