import { writeFile } from 'node:fs/promises';
import { run } from '../adapters/process/run.ts';

/** Every way of recovering begins with what the disk has, not with what memory happens to remember. */

/** @returns undefined where it was dropped, else why not, for the output. */
export async function dropPageCache(): Promise<string | undefined> {
  await run(['sync'], { timeoutMs: 600_000 });
  try {
    await writeFile('/proc/sys/vm/drop_caches', '3\n');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
