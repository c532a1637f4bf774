import { DrError } from '../../domain/errors.ts';
import type { VersionedFile } from '../../domain/versioned.ts';
import { git } from './git.ts';
import { resolveRef, type Copy } from './repository.ts';

/** Writes to the copy, and from there to the repository. */

/** A reference of our own: what is imported is looked at before it becomes part of a branch. */
const DRAFT = 'refs/tyk-dr/draft';

/**
 * Puts the files in the place of everything below the folder, on top of a commit where there is one.
 *
 * @returns the tree of the whole, and that of the folder
 */
export async function importFiles(
  copy: Copy,
  parent: string | undefined,
  folder: string,
  files: readonly VersionedFile[],
): Promise<{ tree: string; folderTree: string }> {
  const { dir, signal } = copy;
  const stream = [
    `commit ${DRAFT}\ncommitter tyk-dr <> 0 +0000\n${data('draft')}`,
    ...(parent === undefined ? [] : [`from ${parent}\n`]),
    `D ${quoted(folder)}\n`,
    ...files.map(
      ({ path, kind, content }) => `M ${MODES[kind]} inline ${quoted(`${folder}/${path}`)}\n${data(content)}`,
    ),
    'done\n',
  ].join('');
  await git(dir, ['update-ref', '-d', DRAFT], { signal });
  await git(dir, ['fast-import', '--quiet', '--done', '--force', '--date-format=raw'], {
    input: stream,
    signal,
  });
  const oid = async (of: string): Promise<string> =>
    (await git(dir, ['rev-parse', '--verify', of], { signal })).stdout.trim();
  return { tree: await oid(`${DRAFT}^{tree}`), folderTree: await oid(`${DRAFT}:${folder}`) };
}

const MODES = { file: '100644', executable: '100755', link: '120000' } as const;

const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;

const quoted = (path: string): string =>
  `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

/** The tree of a folder in a commit; undefined where it has none. */
export async function folderTreeOf(copy: Copy, commit: string, folder: string): Promise<string | undefined> {
  const { stdout, exitCode } = await git(
    copy.dir,
    ['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}:${folder}`],
    { allowedExitCodes: [1, 128], signal: copy.signal },
  );
  return exitCode === 0 ? stdout.trim() : undefined;
}

export interface Signed {
  readonly message: string;
  /** Of the set: the same set makes the same commit, however often it is tried. */
  readonly at: string;
}

export async function commitTree(
  copy: Copy,
  tree: string,
  parent: string | undefined,
  { message, at }: Signed,
): Promise<string> {
  const parents = parent === undefined ? [] : ['-p', parent];
  const { stdout } = await git(copy.dir, ['commit-tree', tree, ...parents, '-F', '-'], {
    input: message,
    env: identity(copy, at),
    signal: copy.signal,
  });
  return stdout.trim();
}

/** Moves the branch on. */
export async function moveBranch(copy: Copy, commit: string): Promise<void> {
  const branch = `refs/heads/${copy.config.branch}`;
  await git(copy.dir, ['update-ref', branch, commit], { signal: copy.signal });
}

/** A tag that is there stays where it is. @throws DrError TOOL_FAILED where it names another commit */
export async function tagCommit(
  copy: Copy,
  tag: string,
  commit: string,
  { message, at }: Signed,
): Promise<void> {
  const there = await resolveRef(copy, `refs/tags/${tag}`);
  if (there === commit) return;
  if (there !== undefined) {
    throw new DrError('TOOL_FAILED', {
      tool: 'git',
      exit: 'a refusal of ours',
      output: `the tag ${tag} is there already and names another commit`,
    });
  }
  await git(copy.dir, ['tag', '--annotate', '--no-sign', '--file', '-', tag, commit], {
    input: message,
    env: identity(copy, at),
    signal: copy.signal,
  });
}

/** Nothing of the repository is ever overwritten. A work tree that has the branch checked out follows if it is clean. */
export async function push(copy: Copy, refs: readonly string[]): Promise<void> {
  const { repository } = copy.config;
  const local = repository.startsWith('/')
    ? ['--receive-pack=git -c receive.denyCurrentBranch=updateInstead receive-pack']
    : [];
  await git(
    copy.dir,
    ['push', '--quiet', '--no-verify', ...local, repository, ...refs.map((ref) => `${ref}:${ref}`)],
    { signal: copy.signal },
  );
}

function identity({ config }: Copy, at: string): Record<string, string> {
  const [, name = 'tyk-dr', email = ''] = /^(.*?)\s*<([^<>]*)>$/.exec(config.author) ?? [];
  const date = `${Math.floor(Date.parse(at) / 1000)} +0000`;
  return {
    ...{ GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_AUTHOR_DATE: date },
    ...{ GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email, GIT_COMMITTER_DATE: date },
  };
}
