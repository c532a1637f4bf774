import { chmod, chown, lstat, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { INDEX, type Index, type IndexEntry, type VersionedFile } from '../../domain/versioned.ts';
import { leadsUp, linkStaysInside, parents } from '../backup/tree.ts';
import { listFiles, readBlobs, type Copy } from '../git/repository.ts';

/** The tree of a component as a commit has it. What git does not hold comes from the set's tree. */

export interface VersionedTree {
  readonly files: readonly VersionedFile[];
  /** Modes, owners, empty folders, and what is withheld. */
  readonly index: Readonly<Record<string, IndexEntry>>;
}

/** @throws DrError UNSAFE_ARCHIVE for a path or a link that leads out of the tree */
export async function readVersionedTree(
  copy: Copy,
  commit: string,
  deployment: string,
  folder: string,
): Promise<VersionedTree> {
  const listed = await listFiles(copy, commit, deployment);
  const own = [...listed].filter(([path]) => path.startsWith(`${folder}/`) || path === INDEX);
  const contents = await readBlobs(
    copy,
    own.map(([, { blob }]) => blob),
  );
  const files = own
    .filter(([path]) => path !== INDEX)
    .map(([path, { kind, blob }]) => ({
      path: path.slice(folder.length + 1),
      kind,
      content: contents.get(blob)!,
    }));
  const index = JSON.parse(contents.get(listed.get(INDEX)?.blob ?? '') ?? '{}') as Index;
  const tree = { files, index: index[folder] ?? {} };
  refuseUnsafe(tree, `${commit.slice(0, 10)}:${deployment}/${folder}`);
  return tree;
}

/** Anybody who may push has written this. */
function refuseUnsafe({ files, index }: VersionedTree, object: string): void {
  const links = new Set(files.filter(({ kind }) => kind === 'link').map(({ path }) => path));
  for (const path of [...files.map((file) => file.path), ...Object.keys(index)])
    if (path === '' || leadsUp(path) || parents(path).some((parent) => links.has(parent)))
      throw new DrError('UNSAFE_ARCHIVE', { object, entry: path });
  for (const { path, kind, content } of files)
    if (kind === 'link' && !linkStaysInside(path, content))
      throw new DrError('UNSAFE_ARCHIVE', { object, entry: `${path} -> ${content}` });
}

/**
 * Makes a tree of that commit out of the unpacked tree of the set, in its place.
 *
 * @param content the file with its secrets
 * @returns what git says was there, and the set does not have
 */
export async function rebuildTree(
  unpacked: string,
  { files, index }: VersionedTree,
  content: (file: VersionedFile) => string,
): Promise<string[]> {
  const fresh = `${unpacked}.git`;
  const missing: string[] = [];
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  const own = (path: string): string => join(fresh, path);
  for (const [path, { type, withheld }] of Object.entries(index).sort()) {
    if (type === 'folder') await mkdir(own(path), { recursive: true });
    if (withheld === undefined) continue;
    await mkdir(dirname(own(path)), { recursive: true });
    const there = await lstat(join(unpacked, path)).catch(() => undefined);
    if (there?.isFile()) await rename(join(unpacked, path), own(path));
    else missing.push(path);
  }
  for (const file of files) {
    await mkdir(dirname(own(file.path)), { recursive: true });
    if (file.kind === 'link') await symlink(file.content, own(file.path));
    else await writeFile(own(file.path), content(file), { mode: 0o600 });
  }
  const kinds = new Map(files.map(({ path, kind }) => [path, kind]));
  for (const path of new Set([...Object.keys(index), ...kinds.keys()]))
    await giveBack(unpacked, fresh, path, index[path], kinds.get(path));
  await rm(unpacked, { recursive: true });
  await rename(fresh, unpacked);
  return missing;
}

/** Owner and mode: of the set's entry where it has one, for that owner was found by name; else as git says. */
async function giveBack(
  unpacked: string,
  fresh: string,
  path: string,
  entry: IndexEntry | undefined,
  kind: VersionedFile['kind'] | undefined,
): Promise<void> {
  const made = await lstat(join(fresh, path)).catch(() => undefined);
  if (!made || made.isSymbolicLink() || entry?.withheld !== undefined) return;
  const before = await lstat(join(unpacked, path)).catch(() => undefined);
  if (process.getuid?.() === 0) {
    const [uid, gid] = before ? [before.uid, before.gid] : (entry?.owner ?? '0:0').split(':').map(Number);
    await chown(join(fresh, path), uid!, gid!);
  }
  // A file that somebody has added by hand may hold anything.
  const usual = kind === 'executable' ? 0o750 : 0o640;
  await chmod(join(fresh, path), entry ? parseInt(entry.mode, 8) : made.isDirectory() ? 0o750 : usual);
}
