import { shellQuote } from './quote.ts';
import { run, type RunOptions, type RunResult } from '../process/run.ts';
import type { Secret } from '../../domain/secret.ts';

/** Calls of pgBackRest. Every one names its configuration file and runs as the user that owns the cluster. */

export interface Pgbackrest {
  readonly configFile: string;
  readonly stanza: string;
  readonly user?: string | undefined;
  /** Kept out of every error. */
  readonly passphrase: Secret;
}

export function pgbackrestArgv(tool: Pgbackrest, command: string, args: readonly string[] = []): string[] {
  return ['pgbackrest', `--config=${tool.configFile}`, `--stanza=${tool.stanza}`, command, ...args];
}

/** @throws DrError TOOL_FAILED with the tool's last lines; see `run`. */
export function pgbackrest(
  tool: Pgbackrest,
  command: string,
  args: readonly string[] = [],
  options: Omit<RunOptions, 'user' | 'secrets'> = {},
): Promise<RunResult> {
  const all: RunOptions = { cwd: '/', ...options, user: tool.user, secrets: [tool.passphrase] };
  return run(pgbackrestArgv(tool, command, args), all);
}

/** The value for `archive_command`: pgBackRest returns only after the segment is safe in the repository. */
export function archiveCommand(configFile: string, stanza: string): string {
  const words = ['pgbackrest', `--config=${configFile}`, `--stanza=${stanza}`, 'archive-push'];
  return `${words.map((word) => shellQuote(word).replaceAll('%', '%%')).join(' ')} %p`;
}

export interface RepositoryEntry {
  /** Relative to the folder that was listed. */
  readonly name: string;
  readonly bytes: number;
}

/** All files below a folder of the repository, from the files themselves rather than from any catalogue. */
export async function listRepository(tool: Pgbackrest, folder: string): Promise<RepositoryEntry[]> {
  const { stdout } = await pgbackrest(tool, 'repo-ls', [folder, '--recurse', '--output=json']);
  const entries = JSON.parse(stdout) as Record<string, { type: string; size?: number }>;
  return Object.entries(entries)
    .filter(([, entry]) => entry.type === 'file')
    .map(([name, entry]) => ({ name, bytes: entry.size ?? 0 }));
}

/** The decrypted text of a small file of the repository. */
export async function readRepositoryFile(tool: Pgbackrest, path: string): Promise<string> {
  return (await pgbackrest(tool, 'repo-get', [path])).stdout;
}
