import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { DrError } from '../../domain/errors.ts';

/** Programs in the foreground that die with us. */

export interface Attached {
  readonly child: ChildProcess;
  /** Never resolves. Being killed at the end is no failure of anybody's: whoever races it hears of it. */
  readonly ended: Promise<never>;
}

/** @param failure what to throw where it ends by itself: its exit code, and its last lines in one. */
export function startAttached(
  argv: readonly string[],
  failure: (code: number | null, last: string) => DrError,
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Attached {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const remember = (chunk: Buffer): void => void (log = (log + chunk.toString()).slice(-2_000));
  child.stdout.on('data', remember);
  child.stderr.on('data', remember);
  const ended = once(child, 'exit').then(([code]): never => {
    throw failure(code as number | null, log.trim().split('\n').slice(-3).join(' / '));
  });
  ended.catch(() => undefined);
  return { child, ended };
}

/** The failure of a program that has no reason to end. `setpriv` ends with 127 where there is no such program. */
export function endedByItself(service: string, tool: string): (code: number | null, last: string) => DrError {
  return (code, last) =>
    code === 127
      ? new DrError('TOOL_MISSING', { tool, host: 'this host' })
      : new DrError('SERVICE_FAILED', {
          service,
          site: 'this host',
          action: 'run',
          reason: `it ended with ${code}: ${last}`,
        });
}
