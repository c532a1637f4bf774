import { createHash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DrError } from '../../domain/errors.ts';
import { userPrefix } from '../process/run.ts';
import { pgbackrestArgv, readRepositoryFile } from './pgbackrest.ts';
import { damaged, type ArchivedSegment, type WalRange } from './wal.ts';

/** One archived segment: decrypted by pgBackRest, decompressed by zstd, hashed on its way to a file. */

const STDERR_TAIL_CHARACTERS = 500;

/** Smallest and largest segment that initdb can be asked for. */
const MIN_SEGMENT_BYTES = 1 << 20;
const MAX_SEGMENT_BYTES = 1 << 30;

/**
 * Fetches a segment into the folder of the range; it gets its name only when its content was proven.
 *
 * @returns its size in bytes.
 * @throws DrError WAL_DAMAGED, WAL_MISSING where it vanished since the listing.
 */
export async function fetchSegment(
  range: WalRange,
  entry: ArchivedSegment,
  expectedBytes: number | undefined,
): Promise<number> {
  const partial = join(range.dir, `${entry.segment}.partial-fetch`);
  const hash = createHash('sha1');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const problem = await decode(range, entry, async (source) => {
    await pipeline(source, count, createWriteStream(partial, { mode: 0o644 }));
  });
  const sha1 = hash.digest('hex');
  const wrong =
    problem ??
    (sha1 === entry.sha1
      ? sizeProblem(bytes, expectedBytes)
      : `has the SHA-1 ${sha1}, not the archived ${entry.sha1}`);
  if (wrong !== undefined) {
    await rm(partial, { force: true });
    range.signal?.throwIfAborted();
    throw damaged(range, entry, expectedBytes, wrong);
  }
  await rename(partial, join(range.dir, entry.segment));
  return bytes;
}

/** Timeline history files are small, plain text, and carry no digest. */
export async function fetchPlain(range: WalRange, name: string): Promise<void> {
  const { tool, archiveId } = range;
  const text = await readRepositoryFile(tool, `archive/${tool.stanza}/${archiveId}/${name}`);
  await writeFile(join(range.dir, name), `${text}\n`, { mode: 0o644 });
}

/** Runs the two tools; @returns what went wrong, in words that follow 'segment NAME'. */
async function decode(
  range: WalRange,
  entry: ArchivedSegment,
  consume: (source: NodeJS.ReadableStream) => Promise<void>,
): Promise<string | undefined> {
  const { tool, archiveId } = range;
  const path = `archive/${tool.stanza}/${archiveId}/${entry.file}`;
  const get = start([...userPrefix(tool.user), ...pgbackrestArgv(tool, 'repo-get', [path])], range.signal);
  const unpack = entry.file.endsWith('.zst') ? start(['zstd', '-d', '-c', '-q'], range.signal) : undefined;
  const ends = [ended(get), ...(unpack ? [ended(unpack)] : [])];
  // Each tool reports its own failure by its exit code; a broken pipe here is only the echo of it.
  const feed = unpack ? pipeline(get.stdout!, unpack.stdin!).catch(() => undefined) : undefined;
  const [streamError, getEnd, unpackEnd] = await Promise.all([
    consume((unpack ?? get).stdout!).then(
      () => undefined,
      (error: unknown) => String(error),
    ),
    ...ends,
  ]);
  await feed;
  range.signal?.throwIfAborted();
  if (getEnd !== undefined && /\[055\]/.test(getEnd))
    throw new DrError('WAL_MISSING', { segment: entry.segment });
  if (getEnd !== undefined) return `cannot be read: ${getEnd}`;
  if (unpackEnd !== undefined) return `cannot be decompressed: ${unpackEnd}`;
  return streamError === undefined ? undefined : `cannot be kept: ${streamError}`;
}

function start(argv: readonly string[], signal: AbortSignal | undefined): ChildProcess {
  return spawn(argv[0]!, argv.slice(1), {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(signal ? { signal, killSignal: 'SIGKILL' } : {}),
  });
}

/** Undefined when the process ended well, else the last words it said. */
function ended(child: ChildProcess): Promise<string | undefined> {
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_TAIL_CHARACTERS);
  });
  child.stdin!.on('error', () => undefined);
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      resolve(code === 0 ? undefined : said.trim() || `exit ${code ?? signal}`);
    });
  });
}

function sizeProblem(bytes: number, expected: number | undefined): string | undefined {
  const powerOfTwo = bytes >= MIN_SEGMENT_BYTES && bytes <= MAX_SEGMENT_BYTES && (bytes & (bytes - 1)) === 0;
  if (!powerOfTwo) return `has ${bytes} bytes, which no WAL segment has`;
  return expected === undefined || bytes === expected ? undefined : `has ${bytes} bytes, not ${expected}`;
}
