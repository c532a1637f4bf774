import { setTimeout as sleep } from 'node:timers/promises';
import { isTemporalLost } from './failures.ts';
import { exitDetached } from './exit.ts';

/** Looks at something that runs in Temporal again and again, until it has ended or the person lets go. */

const LOOK_EVERY_MS = 400;
/** So long may Temporal be away: longer than its restart takes, shorter than anybody would stare at a screen. */
const PATIENCE_MS = 5 * 60_000;
/** A worker under load may miss a question; one that misses so many in a row is away. */
const SILENT_LOOKS = 3;

export interface Watched<T> {
  /** What it is called: `the run`. */
  readonly what: string;
  /** The command that comes back to it. */
  readonly back: string;
  look(): Promise<{ readonly state: T; readonly ended: boolean }>;
  show(state: T): void;
  /** Whether a worker has answered; absent where none is asked. */
  answered?(state: T): boolean;
  /** A sentence about the watching itself. */
  notice(text: string): void;
}

/** @returns the last state, or undefined where it let go: then it has said so and set the exit code. */
export async function watch<T>(watched: Watched<T>, patienceMs = PATIENCE_MS): Promise<T | undefined> {
  const detach = new AbortController();
  const onSignal = (): void => detach.abort();
  process.once('SIGINT', onSignal);
  try {
    const seen = await untilEnded(watched, patienceMs, detach.signal);
    if (seen !== undefined) return seen.state;
    const why = detach.signal.aborted ? 'detached' : 'Temporal does not come back; detached';
    process.stderr.write(`\n${why}; ${watched.what} goes on. Come back with: ${watched.back}\n`);
    exitDetached();
    return undefined;
  } finally {
    process.off('SIGINT', onSignal);
  }
}

async function untilEnded<T>(
  { what, look, show, answered, notice }: Watched<T>,
  patienceMs: number,
  signal: AbortSignal,
): Promise<{ state: T } | undefined> {
  const letGo = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  let lostAt: number | undefined;
  let silent = 0;
  while (!signal.aborted) {
    try {
      const seen = await Promise.race([look(), letGo]);
      if (seen === undefined) return undefined;
      if (lostAt !== undefined) notice('Temporal answers again');
      lostAt = undefined;
      show(seen.state);
      silent = answered?.(seen.state) === false ? silent + 1 : 0;
      if (silent === SILENT_LOOKS) notice(`no worker answers; ${what} waits until one is back`);
      if (seen.ended) return seen;
    } catch (error) {
      if (!isTemporalLost(error)) throw error;
      if (lostAt === undefined) notice(`Temporal does not answer; ${what} goes on; trying again`);
      lostAt ??= performance.now();
      if (performance.now() - lostAt > patienceMs) return undefined;
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}
