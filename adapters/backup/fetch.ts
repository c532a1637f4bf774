import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapParallel } from '../files/map-parallel.ts';
import { download, listFiles } from '../rclone/rclone.ts';
import type { Remote } from '../rclone/remote.ts';
import { isSetOrSnapshot } from '../../domain/snapshot.ts';
import { digestsOf, type FileToSend } from './send.ts';

/** Brings files from a copy: a file gets its name only when its digest is the one that was asked for. */

export interface FetchRequest {
  readonly remote: Remote;
  /** At the remote. */
  readonly folder: string;
  /** Made where it is missing. */
  readonly into: string;
  readonly signal?: AbortSignal | undefined;
}

/** @returns the paths of the files that arrived whole; the copy lacks the others, or has them damaged as well. */
export async function fetchFiles(
  request: FetchRequest,
  files: readonly FileToSend[],
): Promise<ReadonlySet<string>> {
  const wanted = new Map(files.map(({ path, sha256 }) => [path, sha256] as const));
  return fetch(request, [...wanted.keys()], async (file, path) => {
    const found = await digestsOf(file, ['sha256'], request.signal);
    return found?.digests[0] === wanted.get(path);
  });
}

/** The same for files whose content proves itself: signed ones, catalogues with a checksum, WAL named by its hash. */
export function fetchUnproven(request: FetchRequest, paths: readonly string[]): Promise<ReadonlySet<string>> {
  return fetch(
    request,
    paths,
    async (file, _path) => (await digestsOf(file, [], request.signal)) !== undefined,
  );
}

async function fetch(
  { remote, folder, into, signal }: FetchRequest,
  paths: readonly string[],
  isWhole: (file: string, path: string) => Promise<boolean>,
): Promise<ReadonlySet<string>> {
  const whole = new Set<string>();
  if (paths.length === 0) return whole;
  await mkdir(into, { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(join(into, '.fetching-'));
  try {
    await download(remote, folder, paths, draft, { signal });
    await mapParallel(paths, async (path) => {
      if (!(await isWhole(join(draft, path), path))) return;
      await mkdir(dirname(join(into, path)), { recursive: true, mode: 0o750 });
      await rename(join(draft, path), join(into, path));
      whole.add(path);
    });
    return whole;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Ids of the sets and snapshots that a copy holds, newest first: those that have a manifest there. */
export async function idsAt(remote: Remote, deployment: string, signal?: AbortSignal): Promise<string[]> {
  const filter = ['--max-depth=2', '--include=/*/manifest.json'];
  const found = await listFiles(remote, deployment, { filter, signal });
  return found
    .map(({ path }) => dirname(path))
    .filter(isSetOrSnapshot)
    .sort()
    .reverse();
}
