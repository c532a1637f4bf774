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

/**
 * WAL that was archived after the set, and the histories of its timelines: with them a recovery from the copy comes
 * nearer to the end than the set itself.
 *
 * @returns the files, and the last segment that the archive holds.
 */
export async function laterArchive(
  root: string,
  files: readonly RepositoryFile[],
  signal?: AbortSignal,
): Promise<{ files: RepositoryFile[]; through: string | undefined }> {
  const folder = archiveFolder(files);
  if (folder === undefined) return { files: [], through: undefined };
  const listed = new Set(files.map(({ path }) => path));
  const names = await readdir(join(root, folder), { recursive: true }).catch(() => [] as string[]);
  const later = laterOf(
    names.map((name) => `${folder}/${name}`),
    files,
  );
  const found = await mapParallel(later, async (path) => {
    const print = await fingerprint(join(root, path), signal);
    return print ? [{ path, ...print }] : [];
  });
  const all = [...listed, ...later].flatMap((path) => segmentOf(path) ?? []);
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

/** Those of an archive's paths that a recovery of the set can use, and that the set does not list itself. */
export function laterOf(paths: readonly string[], files: readonly Pick<RepositoryFile, 'path'>[]): string[] {
  const first = files.flatMap(({ path }) => segmentOf(path) ?? []).sort()[0] ?? '';
  const listed = new Set(files.map(({ path }) => path));
  return paths
    .filter((path) => !listed.has(path) && (HISTORY.test(path) || (segmentOf(path) ?? '') > first))
    .sort();
}
