import { DrError } from '../../domain/errors.ts';
import { connect } from './client.ts';
import { readTail } from './log-tail.ts';
import { awaitReplay, InsufficientSettings, promote, type Reached } from './replay.ts';
import { expectation, tooEarly, type RestoreJob, type StageRequest } from './restore-request.ts';
import { ScratchEnded, startScratch, type ScratchOptions, type ScratchServer } from './scratch-server.ts';
import type { Fetching } from './wal-ahead.ts';

/** Brings restored files to their recovery target in a scratch server, and promotes it only there. */

/** Each start learns what settings the WAL asks for; more raises than this in one archive are not believable. */
const MAX_STARTS = 5;

export interface Replayed {
  readonly server: ScratchServer;
  readonly reached: Reached;
  readonly timeline: number;
}

export async function replayAndPromote<T>(job: RestoreJob<T>, wal: Fetching): Promise<Replayed> {
  for (let start = 1; ; start += 1) {
    try {
      return await replayOnce(job, wal);
    } catch (error) {
      if (!(error instanceof InsufficientSettings) || start === MAX_STARTS) throw error;
    }
  }
}

async function replayOnce<T>(job: RestoreJob<T>, wal: Fetching): Promise<Replayed> {
  const { request, timings } = job;
  job.say('starting the scratch server');
  const server = await explained(job, () =>
    timings.measure('start', () => startScratch(scratchOptions(job))),
  );
  try {
    const client = await connect(server.connection('postgres'));
    try {
      const goal = {
        stopsAt: request.target.kind === 'end' ? 'end' : 'pause',
        expected: expectation(request),
      } as const;
      const options = { signal: request.signal, onProgress: job.say };
      const replay = (): Promise<Reached> => awaitReplay(server, client, goal, wal.done, options);
      const reached = await explained(job, () =>
        timings.measure('replay', () => Promise.race([replay(), wal.failed])),
      );
      checkReached(request, reached);
      await Promise.race([wal.settled, wal.failed]);
      const timeline = await timings.measure('promote', () => promote(client));
      return { server, reached, timeline };
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    await server.kill();
    throw error;
  }
}

function scratchOptions<T>({ request, cluster, walDir, lockFile }: RestoreJob<T>): ScratchOptions {
  const { target, facts } = request;
  return {
    cluster,
    walDir,
    recoveryTarget:
      target.kind === 'restore-point'
        ? { recovery_target_name: facts.restorePoint }
        : target.kind === 'time'
          ? // PostgreSQL reads its command line before it knows any zone by name, `Z` included.
            { recovery_target_time: target.time.replace(/Z$/, '+00') }
          : {},
    superuser: request.config.admin.user,
    lockFile,
    logFile: `${request.stagingDir}.log`,
    signal: request.signal,
  };
}

/** A server that ends during recovery says why only in its log. */
async function explained<T, R>(job: RestoreJob<T>, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const { target, facts } = job.request;
    const log = await readTail(`${job.request.stagingDir}.log`);
    if (target.kind === 'time' && log.includes('before consistent recovery point')) {
      throw tooEarly(target.time, facts.label, { cause: error });
    }
    if (/aborted because of insufficient parameter settings/.test(log)) throw new InsufficientSettings();
    if (!(error instanceof ScratchEnded)) throw error;
    throw new DrError('WAL_DAMAGED', {
      reachedLsn: 'an unknown LSN',
      expectedLsn: expectation(job.request),
      reason: `PostgreSQL ended with ${error.message}: ${log}`,
    });
  }
}

function checkReached<T>({ target, facts }: StageRequest<T>, reached: Reached): void {
  if (target.kind !== 'restore-point' || reached.lsn === facts.restorePointLsn) return;
  throw new DrError('DATA_UNPROVEN', {
    what: `LSN of the restore point ${facts.restorePoint}`,
    expected: facts.restorePointLsn,
    actual: reached.lsn,
  });
}
