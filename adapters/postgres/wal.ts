import { DrError } from '../../domain/errors.ts';
import { formatLsn, nextSegment, segmentStart } from './lsn.ts';
import { listRepository, type Pgbackrest } from './pgbackrest.ts';
import { fetchSegment, fetchPlain } from './wal-fetch.ts';
import { endOfLog } from './wal-dump.ts';

/**
 * The WAL that a recovery needs, taken from the archive and proven before PostgreSQL sees it.
 *
 * PostgreSQL takes a restore_command that fails as the end of WAL, without an error: one flipped bit in a segment
 * and everything after it is silently lost. So every segment is fetched first, its content compared with the
 * SHA-1 in its archived name, its successor looked for, and only what passed is handed to the server.
 */

export interface WalRange {
  readonly tool: Pgbackrest;
  readonly archiveId: string;
  readonly timeline: number;
  readonly startSegment: string;
  /** The archive must reach at least this far. */
  readonly throughSegment: string;
  /** Whether recovery wants what was archived after `throughSegment` as well. */
  readonly beyond: 'wanted' | 'not-wanted';
  /**
   * `refuse`: any missing or damaged segment fails the whole. `stop`: what comes before it is used, as a recovery
   * to an earlier time may; up to `throughSegment` everything must be there even so.
   */
  readonly onProblem: 'refuse' | 'stop';
  /** Where the proven segments go: a folder of the cluster's user. */
  readonly dir: string;
  readonly binDir: string;
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly onSegment?: (done: number, total: number) => void;
}

export interface ProvenWal {
  readonly segments: readonly string[];
  readonly segmentBytes: number;
  /** Where the last complete record begins: replay is complete when it has gone past it. */
  readonly lastRecordLsn: string;
  readonly bytes: number;
  readonly durationMs: number;
  /** Why it ends where it does, when not because the archive ends. Only with `onProblem: 'stop'`. */
  readonly problem?: DrError;
}

export interface ReadyCall {
  readonly segment: string;
  readonly call: () => void;
}

export interface ArchivedSegment {
  readonly segment: string;
  readonly sha1: string;
  /** Within the folder of the archive id. */
  readonly file: string;
}

const ARCHIVED = /^(?:[0-9A-F]{16}\/)?(([0-9A-F]{24})-([0-9a-f]{40})(?:\.zst)?)$/;
const HISTORY = /^[0-9A-F]{8}\.history$/;

/** What the archive holds of a timeline, in order, from the files themselves. */
export async function listArchive(
  tool: Pgbackrest,
  archiveId: string,
): Promise<{ segments: ArchivedSegment[]; histories: string[] }> {
  const entries = await listRepository(tool, `archive/${tool.stanza}/${archiveId}`);
  const segments: ArchivedSegment[] = [];
  for (const { name } of entries) {
    const [, , segment, sha1] = ARCHIVED.exec(name) ?? [];
    if (segment !== undefined && sha1 !== undefined) segments.push({ segment, sha1, file: name });
  }
  segments.sort((a, b) => (a.segment < b.segment ? -1 : 1));
  return { segments, histories: entries.map(({ name }) => name).filter((name) => HISTORY.test(name)) };
}

/**
 * Fetches and proves the WAL of a range, in order.
 *
 * @param ready called when everything up to and including a segment is there: PostgreSQL may start replaying
 *   while the rest is still being fetched.
 * @throws DrError WAL_MISSING, WAL_DAMAGED
 */
export async function fetchWal(range: WalRange, ready?: ReadyCall): Promise<ProvenWal> {
  const startedAt = performance.now();
  const { segments, histories } = await listArchive(range.tool, range.archiveId);
  const prefix = range.timeline.toString(16).toUpperCase().padStart(8, '0');
  const wanted = segments.filter(
    ({ segment }) =>
      segment.startsWith(prefix) &&
      segment >= range.startSegment &&
      (range.beyond === 'wanted' || segment <= range.throughSegment),
  );
  const first = wanted[0];
  if (first?.segment !== range.startSegment) throw missing(range.startSegment);
  for (const history of histories) await fetchPlain(range, history);

  const segmentBytes = await fetchSegment(range, first, undefined);
  const { chain, problem: gap } = unbrokenChain(wanted, segmentBytes, range);
  const end = await fetchChain(range, chain, segmentBytes, ready);
  const proven = chain.slice(0, end.count).map(({ segment }) => segment);
  const cut = end.problem ?? gap;
  if (cut && (range.onProblem === 'refuse' || !reaches(proven, range.throughSegment))) throw cut;
  const log = await endOfLog(range.binDir, range.dir, proven);
  if (log.problem && range.onProblem === 'refuse') throw log.problem;
  const problem = cut ?? log.problem;
  return {
    segments: proven,
    segmentBytes,
    lastRecordLsn: log.lastRecordLsn,
    bytes: proven.length * segmentBytes,
    durationMs: performance.now() - startedAt,
    ...(problem ? { problem } : {}),
  };
}

/** The segments up to the first that is missing or ambiguous, and what is wrong with that one. */
function unbrokenChain(
  wanted: readonly ArchivedSegment[],
  segmentBytes: number,
  range: WalRange,
): { chain: ArchivedSegment[]; problem?: DrError } {
  const chain: ArchivedSegment[] = [];
  let expected = range.startSegment;
  for (const [index, entry] of wanted.entries()) {
    if (entry.segment !== expected) return { chain, problem: missing(expected) };
    if (wanted[index + 1]?.segment === entry.segment) {
      return { chain, problem: damaged(range, entry, segmentBytes, 'archived twice with different content') };
    }
    chain.push(entry);
    expected = nextSegment(entry.segment, segmentBytes);
  }
  const complete = reaches(
    chain.map(({ segment }) => segment),
    range.throughSegment,
  );
  return complete ? { chain } : { chain, problem: missing(expected) };
}

/** Fetches with a few at a time; the order of starting is the order of the log. */
async function fetchChain(
  range: WalRange,
  chain: readonly ArchivedSegment[],
  segmentBytes: number,
  ready: ReadyCall | undefined,
): Promise<{ count: number; problem?: DrError }> {
  const done = new Set([0]);
  const problems = new Map<number, DrError>();
  let next = 1;
  let contiguous = 0;
  const advance = (): void => {
    for (; done.has(contiguous); contiguous += 1) {
      if (chain[contiguous]?.segment === ready?.segment) ready?.call();
      range.onSegment?.(contiguous + 1, chain.length);
    }
  };
  const worker = async (): Promise<void> => {
    while (next < chain.length && problems.size === 0) {
      const index = next++;
      try {
        await fetchSegment(range, chain[index]!, segmentBytes);
        done.add(index);
        advance();
      } catch (error) {
        next = chain.length;
        if (!(error instanceof DrError) || error.retryable) throw error;
        problems.set(index, error);
      }
    }
  };
  advance();
  await Promise.all(Array.from({ length: Math.max(1, range.parallel) }, worker));
  const problem = problems.get(Math.min(...problems.keys()));
  return problem ? { count: contiguous, problem } : { count: contiguous };
}

function reaches(segments: readonly string[], segment: string): boolean {
  return (segments.at(-1) ?? '') >= segment;
}

function missing(segment: string): DrError {
  return new DrError('WAL_MISSING', { segment });
}

/** An archived segment whose content is not what its name promises. */
export function damaged(
  range: WalRange,
  entry: ArchivedSegment,
  segmentBytes: number | undefined,
  reason: string,
): DrError {
  const start = segmentBytes === undefined ? undefined : segmentStart(entry.segment, segmentBytes);
  return new DrError('WAL_DAMAGED', {
    reachedLsn: start === undefined ? `the start of ${entry.segment}` : formatLsn(start),
    expectedLsn: range.beyond === 'wanted' ? 'the end of the archive' : `the end of ${range.throughSegment}`,
    segment: entry.segment,
    reason: `segment ${entry.segment} ${reason}`,
  });
}
