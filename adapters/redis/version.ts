import { DrError } from '../../domain/errors.ts';
import { run } from '../process/run.ts';

/** The newest RDB format that each Redis release reads (`RDB_VERSION` in its rdb.h). */
const READS: readonly (readonly [release: string, rdbVersion: number])[] = [
  ['5.0', 9],
  ['6.0', 9],
  ['6.2', 9],
  ['7.0', 10],
  ['7.2', 11],
  ['7.4', 12],
  ['8.0', 12],
];

/** @returns `7.0.15`. @throws DrError TOOL_MISSING */
export async function redisVersion(binary: string): Promise<string> {
  const { stdout } = await run([binary, '--version']);
  return /v=(\d+(?:\.\d+)+)/.exec(stdout)?.[1] ?? stdout.trim();
}

/** @throws DrError REDIS_TOO_OLD where the server would refuse the file. */
export function requireReads(
  actual: string,
  rdbVersion: number,
  expected: string,
  where = 'on the target',
): void {
  const readable = READS.filter(([release]) => compare(actual, release) >= 0).at(-1)?.[1] ?? 0;
  if (readable < rdbVersion) throw new DrError('REDIS_TOO_OLD', { actual, rdbVersion, expected, where });
}

function compare(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number));
  for (let index = 0; index < 2; index += 1) {
    const difference = (a![index] ?? 0) - (b![index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
