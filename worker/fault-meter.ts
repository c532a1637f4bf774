import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** What the work of one step writes and renames, as the fault points need to know it. */

export interface Work {
  readonly point: string;
  renames: number;
  readonly fromBytes: number;
  readonly startedAt: number;
}

const current = new AsyncLocalStorage<Work>();

export function measured<T>(point: string, run: (work: Work) => Promise<T>): Promise<T> {
  const work: Work = { point, renames: 0, fromBytes: writtenBytes(), startedAt: performance.now() };
  return current.run(work, () => run(work));
}

/** Calls back on each side of every rename(2) that a work makes; `renames` counts the one at hand. */
export function atRenames(act: (work: Work, side: 'before' | 'after') => void): void {
  const { rename } = promises;
  promises.rename = async (from, to) => {
    const work = current.getStore();
    if (!work) return rename(from, to);
    work.renames += 1;
    // Renames may run side by side: each keeps its own number.
    const own = { ...work };
    act(own, 'before');
    await rename(from, to);
    act(own, 'after');
  };
  // Modules that have imported it by name get the new one.
  syncBuiltinESMExports();
}

/**
 * Bytes that this process and its living and reaped children have passed to write(2), whoever they run as. What runs
 * beside the work counts too: it is a measure of how far things have come, not an account.
 */
export function writtenBytes(): number {
  return bytesOf(String(process.pid));
}

function bytesOf(pid: string): number {
  try {
    const own = /^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'));
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return Number(own![1]) + children.reduce((sum, child) => sum + bytesOf(child), 0);
  } catch {
    // It has ended in between; its parent's figure holds what it wrote.
    return 0;
  }
}
