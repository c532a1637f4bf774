import { copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { deviceOf, requireFree } from '../files/disk.ts';
import { mapParallel } from '../files/map-parallel.ts';
import { giveTo, ownedFolder } from './pgbackrest-config.ts';
import { archiveFolder, infoFiles, laterOf } from './repository-extras.ts';
import type { RepositoryFile } from './repository-files.ts';

/**
 * A whole pgBackRest repository out of one that is damaged and of copies of it: what is whole here is linked, what is
 * not is fetched. The damaged one stays as it is.
 */

export interface AssembleRequest {
  /** The repository of the generation, as far as it is there. */
  readonly root: string;
  /** Where the whole one is made: on the disk of the data, where its user may enter. */
  readonly into: string;
  readonly user: string | undefined;
  readonly stanza: string;
  readonly files: readonly RepositoryFile[];
  /** Of the files, those that are not whole here. */
  readonly damaged: readonly RepositoryFile[];
  /** pgBackRest's catalogues are damaged here: those of a copy are taken. */
  readonly cataloguesLost: boolean;
}

/** Brings files into a folder. @returns the paths that arrived whole. */
export interface Fetching {
  proven(files: readonly RepositoryFile[]): Promise<ReadonlySet<string>>;
  unproven(paths: readonly string[]): Promise<ReadonlySet<string>>;
  /** Paths of what a folder of the copy holds. */
  list(folder: string): Promise<string[]>;
}

/** Begins anew with what is whole here. @throws DrError DISK_TOO_SMALL */
export async function beginAssembly(request: AssembleRequest): Promise<void> {
  const { root, into, user, stanza, files, damaged } = request;
  await rm(into, { recursive: true, force: true });
  const lost = new Set(damaged.map(({ path }) => path));
  const whole = files.filter(({ path }) => !lost.has(path));
  const copied = (await deviceOf(root)) === (await deviceOf(into)) ? [] : whole;
  await requireFree(
    into,
    [...damaged, ...copied].reduce((sum, { bytes }) => sum + bytes, 0),
  );
  await ownedFolder(into, user);
  await mapParallel(
    whole.map(({ path }) => path),
    (path) => linkFile(request, path),
  );
  const folder = archiveFolder(files);
  const archived = folder === undefined ? [] : await filesBelow(root, folder);
  const catalogues = request.cataloguesLost ? [] : infoFiles({ stanza });
  const extras = [...laterOf(archived, files), ...catalogues].filter((path) => !lost.has(path));
  await mapParallel(extras, (path) => linkFile(request, path).catch(ignoreMissing));
}

/**
 * Adds what one copy has.
 *
 * @returns the files that it could not give.
 */
export async function addFromCopy(
  request: AssembleRequest,
  damaged: readonly RepositoryFile[],
  copy: Fetching,
): Promise<RepositoryFile[]> {
  const { into, files, stanza, user } = request;
  const arrived = await copy.proven(damaged);
  const have = new Set(await filesBelow(into, ''));
  const folder = archiveFolder(files);
  const archived = folder === undefined ? [] : (await copy.list(folder)).map((path) => `${folder}/${path}`);
  const extras = [...laterOf(archived, files), ...infoFiles({ stanza })].filter((path) => !have.has(path));
  await copy.unproven(extras);
  await giveAll(into, user);
  return damaged.filter(({ path }) => !arrived.has(path));
}

async function linkFile({ root, into }: AssembleRequest, path: string): Promise<void> {
  const [from, to] = [join(root, path), join(into, path)];
  await mkdir(dirname(to), { recursive: true, mode: 0o750 });
  await link(from, to).catch(async (error: NodeJS.ErrnoException) => {
    // Another filesystem, or a file that is not ours to link.
    if (error.code !== 'EXDEV' && error.code !== 'EPERM') throw error;
    await copyFile(from, to);
  });
}

/** What is linked belongs to the same user already: it is the same file. */
async function giveAll(into: string, user: string | undefined): Promise<void> {
  const entries = await readdir(into, { recursive: true });
  await giveTo(user, into, ...entries.map((entry) => join(into, entry)));
}

async function filesBelow(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
