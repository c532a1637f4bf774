import { DrError } from '../../domain/errors.ts';
import { run, type RunResult } from '../process/run.ts';
import type { Remote } from './remote.ts';

/** What tyk-dr asks of rclone. Folders and paths are relative to the root of the remote. */

/** Files on their way at the same time: most are small, and each waits for the network. */
const TRANSFERS = 8;

/** A copy may be as large as the data; rclone itself gives up a connection that is silent for its --timeout. */
const TRANSFER_LIMIT_MS = 12 * 3_600_000;
const LOOK_LIMIT_MS = 10 * 60_000;

/** A recovery waits no longer than this for a copy that is away; the step that asks is tried again as a whole. */
const PATIENCE = ['--contimeout=10s', '--timeout=60s', '--retries=1', '--low-level-retries=3'];

export interface RemoteFile {
  readonly path: string;
  readonly bytes: number;
}

export interface RcloneOptions {
  readonly signal?: AbortSignal | undefined;
}

/** All files below a folder; none where the folder is not there. @throws DrError COPY_UNUSABLE */
export async function listFiles(
  remote: Remote,
  folder: string,
  options: RcloneOptions & { readonly filter?: readonly string[] } = {},
): Promise<RemoteFile[]> {
  const { filter = [], ...more } = options;
  const args = ['lsjson', '--recursive', '--files-only', '--no-mimetype', '--no-modtime', ...filter];
  const { stdout, exitCode } = await rclone(remote, [...args, at(remote, folder)], {
    ...more,
    allowedExitCodes: [NO_FOLDER],
  });
  if (exitCode === NO_FOLDER) return [];
  return (JSON.parse(stdout) as { Path: string; Size: number }[]).map(({ Path, Size }) => ({
    path: Path,
    bytes: Size,
  }));
}

/** Sends files of a local folder, over what may be there already: the caller knows what is missing. */
export async function upload(
  remote: Remote,
  from: string,
  folder: string,
  paths: readonly string[],
  options: RcloneOptions = {},
): Promise<void> {
  const args = ['copy', '--ignore-times', '--no-traverse', ...FROM_LIST, from, at(remote, folder)];
  await rclone(remote, args, { ...options, limitMs: TRANSFER_LIMIT_MS, input: paths });
}

/** Brings files into a local folder; those that are not there are left out. */
export async function download(
  remote: Remote,
  folder: string,
  paths: readonly string[],
  into: string,
  options: RcloneOptions = {},
): Promise<void> {
  const args = ['copy', '--ignore-times', '--no-traverse', ...FROM_LIST, at(remote, folder), into];
  await rclone(remote, args, { ...options, limitMs: TRANSFER_LIMIT_MS, input: paths });
}

/** Gives a file another name, in one step where the storage can. */
export async function rename(
  remote: Remote,
  from: string,
  to: string,
  options: RcloneOptions = {},
): Promise<void> {
  await rclone(remote, ['moveto', '--ignore-times', at(remote, from), at(remote, to)], options);
}

/** Deletes these files of a folder, and no other; one that is gone already is none of ours to miss. */
export async function removeFiles(
  remote: Remote,
  folder: string,
  paths: readonly string[],
  options: RcloneOptions = {},
): Promise<void> {
  if (paths.length === 0) return;
  const args = ['delete', ...FROM_LIST, at(remote, folder)];
  await rclone(remote, args, { ...options, limitMs: TRANSFER_LIMIT_MS, input: paths });
}

/** Removes the empty folders below one; storages without folders have none. */
export async function removeEmptyFolders(
  remote: Remote,
  folder: string,
  options: RcloneOptions = {},
): Promise<void> {
  const args = ['rmdirs', at(remote, folder)];
  await rclone(remote, args, { ...options, allowedExitCodes: [NO_FOLDER] });
}

export type HashKind = 'md5' | 'sha1' | 'sha256';

/** A hash that the remote itself can tell of its files; undefined where it knows none. */
export async function hashKind(remote: Remote, options: RcloneOptions = {}): Promise<HashKind | undefined> {
  const { stdout } = await rclone(remote, ['backend', 'features', remote.root], options);
  const { Hashes } = JSON.parse(stdout) as { Hashes: string[] | null };
  return (['sha256', 'md5', 'sha1'] as const).find((kind) => Hashes?.includes(kind));
}

/**
 * @param how what the remote says, or what is computed here of all its bytes.
 * @returns hashes in hexadecimal by path; a file that is not there, or has none, is absent.
 */
export async function hashes(
  remote: Remote,
  folder: string,
  paths: readonly string[],
  how: { readonly kind: HashKind; readonly download: boolean },
  options: RcloneOptions = {},
): Promise<Map<string, string>> {
  const download = how.download ? ['--download'] : [];
  const { stdout } = await rclone(
    remote,
    ['hashsum', how.kind, ...download, ...FROM_LIST, at(remote, folder)],
    { ...options, limitMs: TRANSFER_LIMIT_MS, input: paths, allowedExitCodes: [NO_FOLDER] },
  );
  const lines = stdout.split('\n').flatMap((line) => {
    const [, hash, path] = /^([0-9a-f]{32,64}) {2}(.+)$/.exec(line) ?? [];
    return hash === undefined || path === undefined ? [] : [[path, hash] as const];
  });
  return new Map(lines);
}

const FROM_LIST = ['--files-from-raw', '-'];

/** rclone's exit code for a folder that is not there. */
const NO_FOLDER = 3;

function at({ root }: Remote, folder: string): string {
  return folder === '' ? root : `${root}${/[:/]$/.test(root) ? '' : '/'}${folder}`;
}

interface Call extends RcloneOptions {
  readonly input?: readonly string[];
  readonly limitMs?: number;
  readonly allowedExitCodes?: readonly number[];
}

/** @throws DrError COPY_UNUSABLE, with the last thing that rclone said; TOOL_MISSING */
async function rclone(remote: Remote, args: readonly string[], call: Call): Promise<RunResult> {
  const { input, limitMs = LOOK_LIMIT_MS, signal, allowedExitCodes = [] } = call;
  const [command, ...rest] = args;
  // It dies with its worker: nothing of a killed attempt may still write when the next one looks.
  const argv = ['setpriv', '--pdeathsig', 'KILL', '--', 'rclone', command!, ...PATIENCE];
  try {
    return await run([...argv, `--transfers=${TRANSFERS}`, `--checkers=${TRANSFERS}`, ...rest], {
      env: remote.env,
      timeoutMs: limitMs,
      secrets: remote.secrets,
      allowedExitCodes,
      signal,
      ...(input ? { input: `${input.join('\n')}\n` } : {}),
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof DrError)) throw error;
    if (error.code === 'TOOL_MISSING' || error.details['exitCode'] === NOT_FOUND)
      throw new DrError('TOOL_MISSING', { tool: 'rclone', host: 'this host' });
    throw new DrError('COPY_UNUSABLE', { copy: remote.name, reason: reasonOf(error) }, { cause: error });
  }
}

/** What setpriv ends with where the program is not there. */
const NOT_FOUND = 127;

/** rclone's last line says what ended it; its time stamps say nothing. */
function reasonOf(error: DrError): string {
  const lines = String(error.details['output']).trim().split('\n');
  const last = lines.slice(lines.at(-1)!.startsWith('caused by') ? -2 : -1).join(' ');
  const words = last.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, '').trim();
  return `rclone ended with ${error.details['exit']}: ${words.slice(0, 500)}`;
}
