import { diffConfig, type ConfigChange } from '../../domain/config-diff.ts';
import { changeLines, changeSummary } from '../../domain/config-diff-text.ts';
import { Secret, redact } from '../../domain/secret.ts';
import type { VersionedFile } from '../../domain/versioned.ts';
import { commitTree, folderTreeOf, importFiles, moveBranch, push, tagCommit } from '../git/commit.ts';
import {
  ensureRepository,
  resolveRef,
  setCommits,
  TRAILERS,
  withCopy,
  type Copy,
  type GitConfig,
} from '../git/repository.ts';
import { changedContents } from './read-config.ts';

/** One set, one commit, one tag: whenever and however often it is asked for. */

export interface CommitRequest {
  readonly git: GitConfig;
  /** Where our copy of the repository lies. */
  readonly copy: string;
  readonly deployment: string;
  readonly site: string;
  readonly set: string;
  readonly run: string;
  readonly createdAt: string;
  readonly verified: boolean;
  readonly files: readonly VersionedFile[];
  /** Must not appear in a message either. */
  readonly secrets: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export const tagOf = (set: string): string => `set/${set}`;

/**
 * @returns what was done, for people
 * @throws DrError TOOL_FAILED, TOOL_MISSING
 */
export async function commitSet(request: CommitRequest): Promise<string> {
  await ensureRepository(request.git, request.signal);
  return withCopy(request.git, request.copy, request.signal, (copy) => commitTo(copy, request));
}

async function commitTo(copy: Copy, request: CommitRequest): Promise<string> {
  const { git, deployment, set, verified } = request;
  const branch = `refs/heads/${git.branch}`;
  const tip = await resolveRef(copy, branch);
  const place = await placeOf(copy, tip, request);
  const tagged = await resolveRef(copy, `refs/tags/${tagOf(set)}`);
  const there = tagged ?? place.commit;
  const made = there === undefined ? await makeCommit(copy, place.parent, request) : undefined;
  const commit = there ?? made!.commit;
  const moves = made !== undefined && made.changes !== undefined && place.parent === tip;
  const refs: string[] = [];
  if (moves) {
    await moveBranch(copy, commit);
    refs.push(branch);
  }
  if (verified && tagged === undefined) {
    await tagCommit(copy, tagOf(set), commit, {
      message: `Set ${set} of ${deployment}, verified by a restore\n`,
      at: request.createdAt,
    });
    refs.push(`refs/tags/${tagOf(set)}`);
  }
  if (refs.length > 0) await push(copy, refs);
  const state =
    tagged !== undefined || verified ? `, tagged ${tagOf(set)}` : ', not tagged: it is not verified';
  if (there !== undefined) return `committed already as ${commit.slice(0, 10)}${state}`;
  if (made!.changes === undefined) return `as in ${commit.slice(0, 10)}: nothing changed${state}`;
  return `${commit.slice(0, 10)}: ${made!.changes}${moves ? '' : ', beside the branch'}${state}`;
}

/**
 * Behind which commit a set belongs: the newest of an older set, or the tip where none of its deployment is newer. A
 * set that comes late, because git was away when it was made, must not undo what newer ones say.
 */
async function placeOf(
  copy: Copy,
  tip: string | undefined,
  { deployment, set }: CommitRequest,
): Promise<{ commit?: string; parent: string | undefined }> {
  if (tip === undefined) return { parent: undefined };
  const commits = await setCommits(copy, tip, deployment);
  const own = commits.find((each) => each.set === set);
  if (own) return { commit: own.commit, parent: tip };
  if (!commits.some((each) => each.set > set)) return { parent: tip };
  return { parent: commits.find((each) => each.set < set)?.commit };
}

/** @returns the parent itself, and no changes, where the set says nothing new */
async function makeCommit(
  copy: Copy,
  parent: string | undefined,
  request: CommitRequest,
): Promise<{ commit: string; changes?: string }> {
  const { deployment, files } = request;
  const { tree, folderTree } = await importFiles(copy, parent, deployment, files);
  const old = parent === undefined ? undefined : await folderTreeOf(copy, parent, deployment);
  if (parent !== undefined && old === folderTree) return { commit: parent };
  const [before, after] = await changedContents(
    copy,
    deployment,
    old === undefined ? undefined : parent,
    tree,
  );
  const changes = diffConfig(before, after);
  const message = messageOf(request, changes, old === undefined);
  const commit = await commitTree(copy, tree, parent, { message, at: request.createdAt });
  return { commit, changes: old === undefined ? `the first, ${files.length} files` : changeSummary(changes) };
}

/** More than this nobody reads; `git show` has it all. */
const MOST_LINES = 200;

function messageOf(request: CommitRequest, changes: readonly ConfigChange[], first: boolean): string {
  const { deployment, site, set, run, secrets } = request;
  // Of the first, each definition by name; what is in it is the commit itself.
  const lines = changeLines(first ? changes.map(({ fields: _fields, ...change }) => change) : changes);
  const text = [
    `${deployment}: ${changeSummary(changes)}`,
    '',
    ...lines.slice(0, MOST_LINES),
    ...(lines.length > MOST_LINES ? [`and ${lines.length - MOST_LINES} lines more`] : []),
    '',
    `${TRAILERS.deployment}: ${deployment}`,
    `${TRAILERS.site}: ${site}`,
    `${TRAILERS.set}: ${set}`,
    `${TRAILERS.run}: ${run}`,
  ].join('\n');
  return `${redact(
    text,
    secrets.map((value) => new Secret(value)),
  )}\n`;
}
