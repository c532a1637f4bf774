import { chmod, mkdtemp } from 'node:fs/promises';
import { down } from '../lab/down.ts';
import { makeLab, type Lab, type LabChoices } from '../lab/layout.ts';

/** A lab that is gone with its measurement, also where somebody breaks that off. */

/** The shell may name servers and configurations of its own: nothing of a bench may reach them. */
export function forgetServers(): void {
  for (const name of Object.keys(process.env))
    if (/^(TYK_DR_(?!LAB_)|TEMPORAL_|PG|REDIS)/.test(name)) delete process.env[name];
}

/** @param keeps called in the place of the removal, with the lab's folder */
export async function withOwnLab<T>(
  choices: Partial<LabChoices>,
  work: (lab: Lab) => Promise<T>,
  keeps?: (dir: string) => void,
): Promise<T> {
  const dir = await mkdtemp('/var/tmp/tyk-dr-bench-');
  await chmod(dir, 0o755);
  const lab = await makeLab(dir, {}, choices);
  const end = (): void => void down(lab, true).finally(() => process.exit(130));
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    return await work(lab);
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end);
    if (keeps) keeps(dir);
    else await down(lab, true);
  }
}
