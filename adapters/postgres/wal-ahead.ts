import { readBackupManifest, refuseTablespaces, type BackupManifest } from './backup-manifest.ts';
import { tooEarly, type RestoreJob, type StageRequest } from './restore-request.ts';
import { fetchWal, type ProvenWal } from './wal.ts';

/** Fetches the WAL of a recovery while other things happen: files are restored, earlier WAL is replayed. */

export interface Fetching {
  /** The WAL without which the backup is not consistent is there. */
  readonly startable: Promise<void>;
  /** Rejects when fetching fails; never resolves. */
  readonly failed: Promise<never>;
  readonly settled: Promise<unknown>;
  readonly done: () => ProvenWal | undefined;
  readonly stop: AbortController;
}

/** Fetches and proves WAL while the files are restored. */
export async function startFetching<T>({ request, tool, walDir }: RestoreJob<T>): Promise<Fetching> {
  const { facts, target, config } = request;
  const manifest = await readBackupManifest(tool, facts.label);
  refuseTablespaces(manifest.tablespaces);
  refuseTooEarly(request, manifest);
  const stop = new AbortController();
  const abort = (): void => stop.abort(request.signal?.reason);
  request.signal?.addEventListener('abort', abort, { once: true });
  let proven: ProvenWal | undefined;
  let call: () => void = () => undefined;
  const startable = new Promise<void>((resolve) => (call = resolve));
  const fetching = fetchWal(
    {
      tool,
      archiveId: manifest.archiveId,
      timeline: facts.timeline,
      startSegment: manifest.walStart,
      throughSegment: target.kind === 'time' ? manifest.walStop : facts.walStop,
      beyond: target.kind === 'restore-point' ? 'not-wanted' : 'wanted',
      onProblem: target.kind === 'time' ? 'stop' : 'refuse',
      dir: walDir,
      binDir: config.binDir,
      parallel: request.repository.processes,
      signal: stop.signal,
    },
    { segment: manifest.walStop, call },
  );
  const settled = fetching
    .then(
      (wal) => (proven = wal),
      () => undefined,
    )
    .finally(() => request.signal?.removeEventListener('abort', abort));
  const failed = fetching.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined);
  return { startable, failed, settled, done: () => proven, stop };
}

/**
 * What was committed before the backup began is in its files whatever its time: PostgreSQL would promote that and
 * call the time reached. Within the backup it says so itself.
 */
function refuseTooEarly<T>({ target, facts }: StageRequest<T>, { stoppedAt }: BackupManifest): void {
  if (target.kind === 'time' && Date.parse(target.time) < Date.parse(stoppedAt))
    throw tooEarly(target.time, facts.label);
}
