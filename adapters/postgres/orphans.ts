import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { killProcesses } from '../host/scratch-processes.ts';

/**
 * Ends the helpers of a pgBackRest that was killed with its worker. They would hold its locks, and write what they
 * were told to, until they notice that nobody speaks to them: seconds, or a quarter of a minute.
 *
 * @param configFile whose pgBackRest it was.
 * @returns how many there were.
 */
export function endOrphans(configFile: string): Promise<number> {
  return killProcesses('cmdline', (words) => {
    const parent = words.find((word) => word.startsWith('--exec-id='))?.slice('--exec-id='.length);
    return (
      isPgbackrest(words) &&
      words.includes(`--config=${configFile}`) &&
      parent !== undefined &&
      !isPgbackrest(wordsOf(Number.parseInt(parent, 10)))
    );
  });
}

const isPgbackrest = ([program]: readonly string[]): boolean => basename(program ?? '') === 'pgbackrest';

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
