import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import { run } from '../process/run.ts';
import { checkMajorVersion, readControl, type Cluster, type ControlFacts } from './control.ts';
import { pgbackrest } from './pgbackrest.ts';
import { giveTo, siteArchiveCommand, writePgbackrestConfig } from './pgbackrest-config.ts';
import { replayAndPromote } from './recovery.ts';
import { stripRecovery } from './recovery-settings.ts';
import { expectation, type RestoreJob, type StagedRestore, type StageRequest } from './restore-request.ts';
import { endOrphans } from './orphans.ts';
import { finishedResult, prepareStaging, writeLedger } from './staging.ts';
import { Timings } from './timings.ts';
import { startFetching } from './wal-ahead.ts';

/**
 * Restores a backup into a staging directory beside the data directory, replays the archive to the expected end
 * and only then promotes, lets the caller prove the data, and leaves a stopped cluster that may be renamed into
 * place. Nothing outside the staging directory changes; the archive is only read. May be repeated after a kill at
 * any moment.
 */

/** A restore takes as long as the data are large: this only ends one that hangs. */
const RESTORE_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Processes of a restore to one of a backup: each syncs every one of a thousand small files and waits for the disk.
 * Measured on two cores: a restore of 1332 files takes 1.8 s with two processes and 1.1 s with six.
 */
const RESTORE_FACTOR = 3;

/** Often enough for any heartbeat timeout, seldom enough to cost nothing. */
const HEARTBEAT_MS = 1_000;

/**
 * @throws DrError POSTGRES_VERSION, TABLESPACE_UNSUPPORTED, TARGET_BUSY, TARGET_IS_ANOTHER, TOOL_FAILED (a damaged
 *   repository file among the reasons), WAL_MISSING, WAL_DAMAGED, BAD_ARGUMENT (a time outside the backup's reach),
 *   DATA_UNPROVEN, and whatever `prove` throws. Nothing was promoted unless `prove` was called.
 */
export async function stageRestore<T>(request: StageRequest<T>): Promise<StagedRestore<T>> {
  const finished = await finishedResult<StagedRestore<T>>(request.stagingDir, request.ledger);
  if (finished) return finished;
  const report = heartbeat(request);
  try {
    return await stage(request, report.say);
  } catch (error) {
    request.signal?.throwIfAborted();
    throw error;
  } finally {
    report.end();
  }
}

async function stage<T>(request: StageRequest<T>, say: (text: string) => void): Promise<StagedRestore<T>> {
  const { config, facts, signal } = request;
  await checkMajorVersion(config.binDir, facts.majorVersion);
  const cluster: Cluster = { binDir: config.binDir, dataDir: request.stagingDir, user: config.runAs };
  const lockFile = request.lockFile ?? `${request.stagingDir}.lock`;
  await endOrphans(restoreConfigFile(request));
  const how = await prepareStaging(cluster, config.dataDir, facts.systemIdentifier, lockFile, signal);
  const tool = await writePgbackrestConfig(
    { ...request, generation: facts.generation },
    { file: restoreConfigFile(request), dataDir: request.stagingDir },
  );
  const walDir = `${request.stagingDir}.wal`;
  const timings = new Timings();
  try {
    await rm(walDir, { recursive: true, force: true });
    await mkdir(walDir, { recursive: true, mode: 0o700 });
    await giveTo(cluster.user, walDir);
    const job: RestoreJob<T> = { request, cluster, tool, walDir, lockFile, how, timings, say };
    const result = await restoreAndReplay(job);
    await rm(walDir, { recursive: true, force: true });
    await writeLedger(cluster, request.ledger, result, request.ledgerExtra);
    return result;
  } finally {
    await rm(tool.configFile, { force: true });
  }
}

async function restoreAndReplay<T>(job: RestoreJob<T>): Promise<StagedRestore<T>> {
  const { request, cluster, timings } = job;
  const wal = await startFetching(job);
  let files: Promise<void> | undefined;
  try {
    files = restoreFiles(job, wal.stop.signal);
    // A broken archive ends the restore at once rather than after the last file.
    await Promise.race([files, wal.failed]);
    await Promise.race([wal.startable, wal.failed]);
    const control = await checkRestored(job);
    const scratch = await replayAndPromote(job, wal);
    try {
      const proof = await timings.measure('prove', () => request.prove(scratch.server));
      job.say('stopping the scratch server');
      await timings.measure('stop', () => scratch.server.stop());
      await timings.measure('sync', () => finish(job));
      const proven = wal.done()!;
      return {
        reachedLsn: scratch.reached.lsn,
        expected: request.target.kind === 'end' ? proven.lastRecordLsn : expectation(request),
        recoveredTimeline: control.timeline,
        timeline: scratch.timeline,
        ...(scratch.reached.lastCommitAt === undefined ? {} : { lastCommitAt: scratch.reached.lastCommitAt }),
        walSegments: proven.segments.length,
        walBytes: proven.bytes,
        systemIdentifier: (await readControl(cluster)).systemIdentifier,
        durationsMs: { ...timings.all(), wal: proven.durationMs },
        proof,
      };
    } finally {
      await scratch.server.kill();
    }
  } finally {
    wal.stop.abort();
    await Promise.allSettled([wal.settled, files]);
  }
}

async function restoreFiles<T>(job: RestoreJob<T>, signal: AbortSignal): Promise<void> {
  const { request, timings, cluster } = job;
  job.say(`restoring files of ${request.facts.label}`);
  const args = [
    `--set=${request.facts.label}`,
    '--type=standby',
    '--archive-mode=off',
    `--target-timeline=${request.facts.timeline}`,
    `--process-max=${request.repository.processes * RESTORE_FACTOR}`,
    ...(job.how === 'resume' ? ['--delta'] : []),
  ];
  await timings.measure('files', () =>
    pgbackrest(job.tool, 'restore', args, { lock: job.lockFile, timeoutMs: RESTORE_TIMEOUT_MS, signal }),
  );
  // What pgBackRest wrote names the source's archive. The scratch server gets its own settings.
  await stripRecovery(cluster.dataDir, cluster.user);
  await writeFile(join(cluster.dataDir, 'standby.signal'), '', { mode: 0o600 });
  await giveTo(cluster.user, join(cluster.dataDir, 'standby.signal'));
}

/** @throws DrError DATA_UNPROVEN where the files are not the cluster and timeline of the signed manifest. */
async function checkRestored<T>({ cluster, request }: RestoreJob<T>): Promise<ControlFacts> {
  const { facts } = request;
  const control = await readControl(cluster);
  for (const [what, expected, actual] of [
    ['system identifier of the restored cluster', facts.systemIdentifier, control.systemIdentifier],
    ['timeline of the restored cluster', String(facts.timeline), String(control.timeline)],
  ] as const) {
    if (expected !== actual) throw new DrError('DATA_UNPROVEN', { what, expected, actual });
  }
  return control;
}

/** The cluster is stopped: no recovery settings are left in it, and every byte of it is on the disk. */
async function finish<T>({ cluster, request }: RestoreJob<T>): Promise<void> {
  const { state } = await readControl(cluster);
  if (state !== 'shut down') {
    throw new DrError('DATA_UNPROVEN', {
      what: 'state of the restored cluster',
      expected: 'shut down',
      actual: state,
    });
  }
  const { config, repository } = request;
  await stripRecovery(
    cluster.dataDir,
    cluster.user,
    request.withoutArchive ? { off: true } : { command: siteArchiveCommand(config, repository) },
  );
  await run([join(cluster.binDir, 'initdb'), '--sync-only', '-D', cluster.dataDir], {
    user: cluster.user,
    cwd: '/',
    timeoutMs: RESTORE_TIMEOUT_MS,
    signal: request.signal,
  });
}

/** Beside the site's own file, so that a drill never replaces what archive_command reads. */
function restoreConfigFile<T>({ config, stagingDir }: StageRequest<T>): string {
  return `${config.pgbackrest.configFile}.${basename(stagingDir)}`;
}

function heartbeat<T>(request: StageRequest<T>): { say: (text: string) => void; end: () => void } {
  let latest = 'preparing';
  const timer = setInterval(() => request.onProgress?.(latest), HEARTBEAT_MS);
  return { say: (text) => (latest = text), end: () => clearInterval(timer) };
}
