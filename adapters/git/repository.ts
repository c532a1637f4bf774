import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import type { BackupConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { VersionedFile } from '../../domain/versioned.ts';
import { run } from '../process/run.ts';
import { git } from './git.ts';

/**
 * The user's git repository, through a bare copy of our own that is fetched before it is read and pushed after it was
 * written. The copy can be thrown away at any time.
 */

export type GitConfig = NonNullable<BackupConfig['git']>;

export interface Copy {
  readonly dir: string;
  readonly config: GitConfig;
  readonly signal?: AbortSignal | undefined;
}

const isPath = ({ repository }: GitConfig): boolean => repository.startsWith('/');

/**
 * Works on the copy as the repository is now. What fails is tried once more on a copy that is made anew: a kill may
 * have left a lock or half a file, and somebody else may have pushed meanwhile.
 *
 * @throws DrError TOOL_FAILED with git's own words, TOOL_MISSING, and what the work throws
 */
export async function withCopy<T>(
  config: GitConfig,
  dir: string,
  signal: AbortSignal | undefined,
  work: (copy: Copy) => Promise<T>,
): Promise<T> {
  const attempt = async (): Promise<T> => {
    const copy = { dir, config, signal };
    await fetchInto(copy);
    return work(copy);
  };
  try {
    return await attempt();
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DrError) || error.code !== 'TOOL_FAILED') throw error;
    await rm(dir, { recursive: true, force: true });
    return attempt();
  }
}

/** For a commit that is known: where the copy has it already, the repository itself is not asked. */
export async function withCommit<T>(
  config: GitConfig,
  dir: string,
  commit: string,
  signal: AbortSignal | undefined,
  work: (copy: Copy) => Promise<T>,
): Promise<T> {
  const copy = { dir, config, signal };
  if ((await resolveRef(copy, commit)) === commit) return work(copy);
  return withCopy(config, dir, signal, work);
}

async function fetchInto({ dir, config, signal }: Copy): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await git(dir, ['init', '--quiet', '--bare', '--initial-branch', 'tyk-dr-none'], { signal });
  const fetch = ['fetch', '--quiet', '--prune', '--no-write-fetch-head', '--no-tags', config.repository];
  await git(dir, [...fetch, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'], { signal });
}

/** A repository at a path that does not exist yet is made; one elsewhere is somebody's to make. */
export async function ensureRepository(config: GitConfig, signal?: AbortSignal): Promise<void> {
  const { repository, branch } = config;
  if (!isPath(config)) return;
  const found = await stat(repository).catch(() => undefined);
  if (found && (await readdir(repository)).length > 0) return;
  await mkdir(repository, { recursive: true, mode: 0o700 });
  await run(['git', 'init', '--quiet', '--bare', '--initial-branch', branch, repository], { signal });
}

/** The commit that a branch, a tag or the beginning of a commit's id means; undefined where there is none. */
export async function resolveRef({ dir, signal }: Copy, ref: string): Promise<string | undefined> {
  const { stdout, exitCode } = await git(
    dir,
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`],
    { allowedExitCodes: [1, 128], signal },
  );
  return exitCode === 0 ? stdout.trim() : undefined;
}

export interface SetCommit {
  readonly commit: string;
  readonly set: string;
}

/** Commits of a deployment's sets on the branch, newest first, by the trailers of their messages. */
export async function setCommits(copy: Copy, tip: string, deployment: string): Promise<SetCommit[]> {
  const trailer = (name: string): string => `%(trailers:key=${name},valueonly,separator=%x2C)`;
  const { stdout } = await git(
    copy.dir,
    ['log', `--format=%H%x09${trailer(TRAILERS.deployment)}%x09${trailer(TRAILERS.set)}`, tip],
    { signal: copy.signal },
  );
  return stdout.split('\n').flatMap((line) => {
    const [commit, of, set] = line.split('\t');
    return commit && set && of === deployment ? [{ commit, set }] : [];
  });
}

export const TRAILERS = {
  deployment: 'Tyk-Dr-Deployment',
  site: 'Tyk-Dr-Site',
  set: 'Tyk-Dr-Set',
  run: 'Tyk-Dr-Run',
} as const;

interface TreeEntry {
  readonly kind: VersionedFile['kind'];
  readonly blob: string;
}

const KINDS: Readonly<Record<string, VersionedFile['kind']>> = {
  '100644': 'file',
  '100755': 'executable',
  '120000': 'link',
};

/** The files below a folder of a commit, by their path in it, without their content. */
export async function listFiles(copy: Copy, commit: string, folder: string): Promise<Map<string, TreeEntry>> {
  const { stdout } = await git(copy.dir, ['ls-tree', '-r', '-z', '--full-tree', commit, '--', `${folder}/`], {
    signal: copy.signal,
  });
  const files = new Map<string, TreeEntry>();
  for (const line of stdout.split('\0').filter(Boolean)) {
    const [, mode, blob, path] = /^(\d+) \w+ ([0-9a-f]+)\t(.*)$/s.exec(line) ?? [];
    const kind = KINDS[mode ?? ''];
    if (kind && blob && path) files.set(path.slice(folder.length + 1), { kind, blob });
  }
  return files;
}

/** The content of blobs, by their id. Text only: nothing else was put in. */
export async function readBlobs(copy: Copy, blobs: readonly string[]): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  const wanted = [...new Set(blobs)];
  // In slices: what a tool says is held in memory.
  for (let from = 0; from < wanted.length; from += SLICE) {
    const slice = wanted.slice(from, from + SLICE);
    const { stdout } = await git(copy.dir, ['cat-file', '--batch'], {
      input: `${slice.join('\n')}\n`,
      signal: copy.signal,
    });
    const bytes = Buffer.from(stdout);
    let at = 0;
    for (const blob of slice) {
      const end = bytes.indexOf('\n', at);
      const size = Number(bytes.toString('utf8', at, end).split(' ')[2]);
      if (Number.isNaN(size)) throw new Error(`git has no blob ${blob}`);
      contents.set(blob, bytes.toString('utf8', end + 1, end + 1 + size));
      at = end + 1 + size + 1;
    }
  }
  return contents;
}

const SLICE = 500;
