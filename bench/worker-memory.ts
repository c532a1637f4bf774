import { readFile, writeFile } from 'node:fs/promises';
import { pidOf } from '../lab/services.ts';
import { SITES, type Lab } from '../lab/layout.ts';

/** The most memory that each worker had resident: VmHWM of /proc/PID/status, set back before each measurement. */

export type Peaks = Readonly<Record<string, number>>;

/** Runs the work. @returns bytes by worker. */
export async function withPeaks<T>(
  lab: Lab,
  work: () => Promise<T>,
): Promise<{ result: T; peakBytes: Peaks }> {
  const pids = await workerPids(lab);
  // 5 sets the peak back to what is resident now; proc(5).
  for (const pid of Object.values(pids)) await writeFile(`/proc/${pid}/clear_refs`, '5');
  const result = await work();
  const peakBytes: Record<string, number> = {};
  for (const [name, pid] of Object.entries(pids)) peakBytes[name] = await peakOf(pid);
  return { result, peakBytes };
}

async function workerPids(lab: Lab): Promise<Record<string, number>> {
  const pids: Record<string, number> = {};
  for (const site of SITES) pids[site] = (await pidOf(lab, `worker-${site}`))!;
  return pids;
}

async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}
