import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * One digest over a file, or over everything below a folder: names, kinds, link targets and content. Owners, modes and
 * times do not count.
 *
 * @param mostBytes of more than that together only names and sizes count.
 */
export async function digestBelow(root: string, entry: string, mostBytes = Infinity): Promise<string> {
  const found: Found[] = [];
  await walk(root, entry, found);
  const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const hash = createHash('sha256');
  for (const { path, kind, bytes } of found.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${kind}\0${path}\0${bytes}\0`);
    if (kind === 'link') hash.update(await readlink(join(root, path)));
    else if (kind === 'file' && total <= mostBytes) await addFile(hash, join(root, path));
  }
  return hash.digest('hex');
}

interface Found {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly bytes: number;
}

async function walk(root: string, path: string, found: Found[]): Promise<void> {
  const facts = await lstat(join(root, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!facts) return;
  if (facts.isDirectory()) {
    found.push({ path, kind: 'folder', bytes: 0 });
    for (const name of await readdir(join(root, path))) await walk(root, join(path, name), found);
  } else if (facts.isFile()) found.push({ path, kind: 'file', bytes: facts.size });
  else found.push({ path, kind: facts.isSymbolicLink() ? 'link' : 'other', bytes: 0 });
}

async function addFile(hash: Hash, path: string): Promise<void> {
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) hash.update(chunk);
  });
}
