import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { awaitBeacon } from '../lab/await-beacon.ts';
import { configFile, type Lab } from '../lab/layout.ts';
import { stop } from '../lab/services.ts';
import { up } from '../lab/up.ts';

/** What `tyk-dr beacon` costs alone: the processor time of its process, with everything in it, over a while. */

export interface BeaconCost {
  readonly seconds: number;
  readonly cpuMs: number;
  /** Of one core. */
  readonly percent: number;
  /** How busy the machine was meanwhile: on a busy one the same work takes more time. */
  readonly load: number;
}

/** Start-up, connections and the first clearing of memory, a minute later, are once for all the years. */
const WARM_UP_MS = 100_000;
const GOAL_PERCENT = 0.1;

/** Both stores, a journal on the disk, no off-site copy. */
export async function measureBeacon(
  lab: Lab,
  seconds: number,
  say: (text: string) => void,
): Promise<BeaconCost> {
  await up(lab, say);
  for (const part of ['clients', 'worker-primary', 'worker-dr']) await stop(lab, part);
  const program = fileURLToPath(new URL('../../bin/tyk-dr.js', import.meta.url));
  const child = spawn(process.execPath, [program, 'beacon', lab.deployment, '--site', 'primary'], {
    env: { ...process.env, TYK_DR_CONFIG: configFile(lab) },
    stdio: 'ignore',
  });
  try {
    await awaitBeacon(lab, 'primary');
    await sleep(WARM_UP_MS);
    say(`measuring for ${seconds} s`);
    const before = await cpuTicks(child.pid!);
    await sleep(seconds * 1000);
    const cpuMs = ((await cpuTicks(child.pid!)) - before) * MS_PER_TICK;
    return { seconds, cpuMs, percent: cpuMs / (seconds * 10), load: loadavg()[0]! };
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
}

export function beaconText({ seconds, cpuMs, percent, load }: BeaconCost): string {
  const met = percent < GOAL_PERCENT ? 'MET' : 'MISSED';
  return `beacon: ${cpuMs.toFixed(0)} ms of processor time in ${seconds} s, ${percent.toFixed(2)} % of a core (goal: under ${GOAL_PERCENT} %) ${met}; load of the machine ${load.toFixed(1)}`;
}

/** proc(5): sysconf(_SC_CLK_TCK) is 100 on Linux. */
const MS_PER_TICK = 10;

/** User and system time, also of children that have ended: commands that ask whether the site serves. */
async function cpuTicks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
}
