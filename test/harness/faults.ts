import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Plants faults for workers that were started with `TYK_DR_FAULT_DIR`, see worker/fault-points.ts. */

export interface Traced {
  readonly point: string;
  readonly renames: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Replaces whatever was planted before; what has come is forgotten. */
export async function plantFaults(folder: string, faults: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  // What runs must not see new faults beside old marks.
  await rm(join(folder, 'faults'), { force: true });
  for (const name of await readdir(folder)) await rm(join(folder, name));
  await writeFile(join(folder, 'trace'), '');
  await writeFile(join(folder, 'faults'), faults.join(','));
}

/** Which of them have come. */
export async function comeFaults(folder: string, faults: readonly string[]): Promise<string[]> {
  const come = await Promise.all(faults.map((fault) => hasCome(folder, fault)));
  return faults.filter((_, index) => come[index]);
}

export function hasCome(folder: string, fault: string): Promise<boolean> {
  return access(join(folder, fault)).then(
    () => true,
    () => false,
  );
}

/** Lets a work go on that is held. */
export async function letGo(folder: string, fault: string): Promise<void> {
  await writeFile(join(folder, `${fault}.go`), '');
}

/** What the works that have ended wrote and renamed. */
export async function readTrace(folder: string): Promise<Traced[]> {
  const text = await readFile(join(folder, 'trace'), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Traced);
}
