import { join } from 'node:path';
import { execa } from 'execa';
import { DrError } from '../../domain/errors.ts';

/** A record longer than a segment leaves segments without a beginning; no real one spans more than this. */
const MAX_SEGMENTS_BACK = 66;

export interface LogEnd {
  /** Where the last complete record begins. */
  readonly lastRecordLsn: string;
  /** What is wrong behind it, where it is not the end. */
  readonly problem?: DrError;
}

/**
 * Where a chain of segments ends.
 *
 * The last complete record is what tells 'all replayed' exactly: replay stands at the end of the record it replayed
 * last, so once it is past the beginning of the last complete record, that record was replayed and no other follows.
 * The end of the last segment would be wrong: a record may begin there whose rest was never archived.
 *
 * An archived segment is full or ends with a switch, and pg_waldump reads it to its end. Where it does not, the
 * segment had rotted on the primary's own disk before it was archived, under a digest that is right.
 *
 * @param segments proven segments of one timeline, in order, that lie in `dir`.
 */
export async function endOfLog(binDir: string, dir: string, segments: readonly string[]): Promise<LogEnd> {
  const last = segments.at(-1);
  const oldest = Math.max(0, segments.length - MAX_SEGMENTS_BACK);
  for (let index = segments.length - 1; index >= oldest && last !== undefined; index -= 1) {
    const { lsn, complaint } = await lastRecordOf(binDir, dir, segments[index]!, last);
    if (lsn === undefined) continue;
    if (complaint === undefined) return { lastRecordLsn: lsn };
    return { lastRecordLsn: lsn, problem: damaged(lsn, last, `segment ${last}: ${complaint}`) };
  }
  throw damaged('nowhere', last, 'no complete record in it');
}

function damaged(reachedLsn: string, last: string | undefined, reason: string): DrError {
  return new DrError('WAL_DAMAGED', { reachedLsn, expectedLsn: `the end of ${last}`, reason });
}

async function lastRecordOf(
  binDir: string,
  dir: string,
  from: string,
  to: string,
): Promise<{ lsn?: string | undefined; complaint?: string }> {
  // Line by line, as a segment may hold hundreds of thousands of records.
  const dump = execa(join(binDir, 'pg_waldump'), ['--path', dir, from, to], {
    cwd: '/',
    reject: false,
    buffer: { stdout: false, stderr: true },
    stdin: 'ignore',
    env: { LC_ALL: 'C' },
  });
  let lsn: string | undefined;
  for await (const line of dump) lsn = /\blsn: ([0-9A-F]+\/[0-9A-F]+),/.exec(line)?.[1] ?? lsn;
  const result = await dump;
  if (result.code === 'ENOENT') {
    throw new DrError('TOOL_MISSING', { tool: 'pg_waldump', host: 'this host' });
  }
  return result.exitCode === 0 ? { lsn } : { lsn, complaint: result.stderr.trim() };
}
