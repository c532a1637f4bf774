import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Folders below the system's temporary one, for sockets and the like. Each bears the process that made it in its name,
 * so that what a killed worker leaves is told apart from what a living one uses.
 */

const NAME = /^tyk-dr-(?:pg|redis|fifo|verify|dns)-(\d+)\.(\d+)-\w{6}$/;

export function scratchFolder(kind: 'pg' | 'redis' | 'fifo' | 'verify' | 'dns'): Promise<string> {
  const started = startOf(readFileSync('/proc/self/stat', 'latin1'));
  return mkdtemp(join(tmpdir(), `tyk-dr-${kind}-${process.pid}.${started}-`));
}

/** Removes those whose process has ended. */
export async function clearScratchFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid, started] = NAME.exec(name) ?? [];
    if (pid === undefined) continue;
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
    if (stat !== undefined && startOf(stat) === started) continue;
    // Another user's is not ours to remove.
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The 22nd field, in ticks since boot: with the number it names a process for good. */
function startOf(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}
