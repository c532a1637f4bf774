import { run, type RunResult } from '../process/run.ts';

/** The program git, on a bare repository. It asks nobody: who has no right to a repository is told so. */

const QUIET = {
  LC_ALL: 'C',
  GIT_TERMINAL_PROMPT: '0',
  GIT_SSH_COMMAND: process.env['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes -o ConnectTimeout=10',
};

/** Fetching the history of years over a slow line. */
const TIMEOUT_MS = 5 * 60_000;

export interface GitOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly allowedExitCodes?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** @throws DrError TOOL_MISSING, TOOL_FAILED */
export function git(dir: string, args: readonly string[], options: GitOptions = {}): Promise<RunResult> {
  return run(['git', `--git-dir=${dir}`, '-c', 'gc.auto=0', ...args], {
    ...options,
    env: { ...QUIET, ...options.env },
    cwd: '/',
    timeoutMs: TIMEOUT_MS,
  });
}
