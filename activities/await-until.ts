import { setTimeout as sleep } from 'node:timers/promises';

/** Polls a condition until it gives a value. Throws `late()` after the time, and stops when it is cancelled. */
export async function awaitUntil<T>(
  look: () => Promise<T | undefined>,
  {
    timeoutMs,
    everyMs = 100,
    signal,
    late,
  }: { timeoutMs: number; everyMs?: number; signal: AbortSignal; late: () => Error },
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw late();
    await sleep(everyMs, undefined, { signal });
  }
}
