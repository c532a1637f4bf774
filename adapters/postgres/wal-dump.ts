import { join } from 'node:path';
import { execa } from 'execa';
import { DrError } from '../../domain/errors.ts';

/** A record longer than a segment leaves segments without a beginning; no real one spans more than this. */
const MAX_SEGMENTS_BACK = 66;

/**
 * Where the last complete record of a chain of segments begins.
 *
 * This is what tells 'all replayed' exactly: replay stands at the end of the record it replayed last, so once it
 * is past the beginning of the last complete record, that record was replayed and no other follows. The end of
 * the last segment would be wrong: a record may begin there whose rest was never archived.
 *
 * @param segments proven segments of one timeline, in order, that lie in `dir`.
 */
export async function lastRecordLsn(
  binDir: string,
  dir: string,
  segments: readonly string[],
): Promise<string> {
  const last = segments.at(-1);
  const oldest = Math.max(0, segments.length - MAX_SEGMENTS_BACK);
  for (let index = segments.length - 1; index >= oldest && last !== undefined; index -= 1) {
    const lsn = await lastRecordOf(binDir, dir, segments[index]!, last);
    if (lsn !== undefined) return lsn;
  }
  throw new DrError('WAL_DAMAGED', {
    reachedLsn: 'nowhere',
    expectedLsn: `the end of ${last}`,
    reason: 'no complete record in it',
  });
}

async function lastRecordOf(
  binDir: string,
  dir: string,
  from: string,
  to: string,
): Promise<string | undefined> {
  // Its exit code says nothing: the end of the log is an error to pg_waldump. Line by line, as a segment may
  // hold hundreds of thousands of records.
  const dump = execa(join(binDir, 'pg_waldump'), ['--path', dir, from, to], {
    cwd: '/',
    reject: false,
    buffer: false,
    stdin: 'ignore',
    stderr: 'ignore',
  });
  let lsn: string | undefined;
  for await (const line of dump) lsn = /\blsn: ([0-9A-F]+\/[0-9A-F]+),/.exec(line)?.[1] ?? lsn;
  const result = await dump;
  if (result.code === 'ENOENT') {
    throw new DrError('TOOL_MISSING', { tool: 'pg_waldump', host: 'this host' });
  }
  return lsn;
}
