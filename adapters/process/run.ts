import { execa, type Options } from 'execa';
import { DrError } from '../../domain/errors.ts';
import { lastLines, OUTPUT_LIMIT_BYTES } from '../../domain/output.ts';
import { redact, type Secret } from '../../domain/secret.ts';

/** The most of a tool's output that an error carries. More than is ever shown: secrets are taken out of it first. */
const OUTPUT_TAIL_BYTES = 4 * OUTPUT_LIMIT_BYTES;

/** A tool that says nothing for this long is given up; every caller that needs longer says so. */
const DEFAULT_TIMEOUT_MS = 60_000;

export interface RunOptions {
  /** Run as this user (a worker that is root drops to it; otherwise it must be the worker's own user). */
  user?: string | undefined;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Written to standard input; secrets go here, never into argv. */
  input?: string;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Removed from any output that an error carries. */
  secrets?: readonly Secret[];
  /** Exit codes that are answers, not failures. */
  allowedExitCodes?: readonly number[];
  /**
   * A lock file in the target. The tool holds it and dies with this process, so that a killed worker leaves no
   * tool behind that still writes where its successor restores.
   */
  lock?: string;
}

export interface RunResult {
  stdout: string;
  stderr: string;
  exitCode: number;
  durationMs: number;
}

/**
 * Runs one command to its end.
 *
 * @throws DrError TOOL_MISSING where the program is not installed, TARGET_BUSY where the lock is held,
 *   TOOL_FAILED (retryable) on any exit code that is not allowed, with the redacted tail of the output.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const command = wrap(argv, options);
  const startedAt = performance.now();
  const execaOptions: Options = {
    reject: false,
    stripFinalNewline: true,
    timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: options.env ?? {},
    maxBuffer: 64 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    ...(options.signal ? { cancelSignal: options.signal } : {}),
  };
  const result = await execa(command[0]!, command.slice(1), execaOptions);
  const stdout = text(result.stdout);
  const stderr = text(result.stderr);
  const exitCode = result.exitCode ?? -1;
  if (exitCode !== 0 && !options.allowedExitCodes?.includes(exitCode)) {
    if (options.lock && exitCode === LOCK_HELD) throw new DrError('TARGET_BUSY', { path: options.lock });
    if (result.code === 'ENOENT' || (exitCode === 127 && command !== argv)) {
      throw new DrError('TOOL_MISSING', { tool: argv[0]!, host: 'this host' });
    }
    const how = result.timedOut ? 'a timeout' : (result.signal ?? `exit code ${exitCode}`);
    // Whole secrets are found; of one that was cut only a part would be left, and be shown.
    const output = lastLines(redact(`${stdout}\n${stderr}`.trim(), options.secrets ?? []), OUTPUT_TAIL_BYTES);
    throw new DrError('TOOL_FAILED', { tool: argv[0]!, exit: how, exitCode, output: output || 'no output' });
  }
  return { stdout, stderr, exitCode, durationMs: performance.now() - startedAt };
}

/** What flock returns when somebody else holds the lock: no tool of ours uses this code. */
const LOCK_HELD = 75;

function wrap(argv: readonly string[], options: RunOptions): readonly string[] {
  if (options.lock === undefined) return [...userPrefix(options.user), ...argv];
  // flock replaces itself (-F) by setpriv, and that by the tool: one process, a direct child of ours, which
  // inherits the locked descriptor and gets SIGKILL when we die. setpriv sets the signal after it has dropped
  // privileges, which would otherwise clear it.
  const drop = userPrefix(options.user).slice(1, -1);
  return [
    ...['flock', '-n', '-F', '-E', String(LOCK_HELD), options.lock],
    ...['setpriv', '--pdeathsig', 'KILL', ...drop, '--', ...argv],
  ];
}

/** The argv prefix that drops from root to a user; empty where nothing is to be dropped. */
export function userPrefix(user: string | undefined): string[] {
  if (user === undefined || process.getuid?.() !== 0) return [];
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
