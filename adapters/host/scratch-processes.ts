import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Processes that are to be gone when a proof is. They carry a mark in their environment, which their children inherit
 * and nobody can forget to write: whatever a killed worker has left is found by it, however it was started.
 */

const MARK = 'TYK_DR_SCRATCH';
const GONE_DEADLINE_MS = 10_000;
const POLL_MS = 20;

export function scratchMark(owner: string): Record<string, string> {
  return { [MARK]: owner };
}

/** Kills every process with this mark and waits until none is left. @returns how many there were. */
export function killScratchProcesses(owner: string): Promise<number> {
  const wanted = `${MARK}=${owner}`;
  // Empty for a zombie; not ours to read for another user's.
  return killProcesses('environ', (environment) => environment.includes(wanted));
}

/**
 * Kills every process whose environment or words are so, and waits until none is left.
 *
 * @returns how many there were.
 */
export async function killProcesses(
  told: 'environ' | 'cmdline',
  isOne: (texts: readonly string[]) => boolean,
): Promise<number> {
  const killed = new Set<number>();
  for (const deadline = performance.now() + GONE_DEADLINE_MS; ; await sleep(POLL_MS)) {
    const found = await processes(told, isOne);
    if (found.length === 0 || performance.now() > deadline) return killed.size;
    for (const pid of found) {
      killed.add(pid);
      kill(pid);
    }
  }
}

async function processes(told: string, isOne: (texts: readonly string[]) => boolean): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const text = await readFile(`/proc/${name}/${told}`, 'utf8').catch(() => '');
    if (isOne(text.split('\0'))) found.push(Number(name));
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since.
  }
}
