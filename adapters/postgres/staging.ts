import { mkdir, open, readFile, readdir, readlink, rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DrError } from '../../domain/errors.ts';
import { run } from '../process/run.ts';
import { checkIdentity, type Cluster } from './control.ts';
import { giveTo } from './pgbackrest-config.ts';

/**
 * The directory beside the data directory in which a restore is made. It counts only once it holds its ledger
 * file, written last; anything else is the rest of a restore that was killed, and is done again.
 */

export const LEDGER_FILE = 'tyk-dr-step.json';

/** What a ledger file says about who made this, and from what. */
export interface Ledger {
  readonly run: string;
  readonly step: string;
  readonly set: string;
}

/** After a kill, PostgreSQL's processes need a moment to notice and let go of the lock. */
const LOCK_WAIT_MS = 15_000;
const LOCK_POLL_MS = 100;

/** The result kept in a finished staging directory of this very run, step and set; undefined otherwise. */
export async function finishedResult<R>(dir: string, ledger: Ledger): Promise<R | undefined> {
  const text = await readFile(join(dir, LEDGER_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const found = JSON.parse(text) as Ledger & { result: R };
  const same = found.run === ledger.run && found.step === ledger.step && found.set === ledger.set;
  return same ? found.result : undefined;
}

/** Writes the ledger file and makes it durable: from here on the directory counts. */
export async function writeLedger(
  cluster: Cluster,
  ledger: Ledger,
  result: unknown,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const file = join(cluster.dataDir, LEDGER_FILE);
  const fresh = `${file}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ ...ledger, ...extra, result }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await giveTo(cluster.user, fresh);
  await rename(fresh, file);
  const folder = await open(cluster.dataDir, 'r');
  await folder.sync().finally(() => folder.close());
}

/**
 * Makes the directory fit for a restore: waits for the processes of a killed predecessor, refuses what belongs to
 * somebody else, and keeps or empties what is there.
 *
 * @returns whether pgBackRest can go on with what is there (`--delta`).
 * @throws DrError TARGET_BUSY, TARGET_IS_ANOTHER.
 */
export async function prepareStaging(
  cluster: Cluster,
  liveDataDir: string,
  systemIdentifier: string,
  lockFile: string,
  signal?: AbortSignal,
): Promise<'empty' | 'resume'> {
  refuseOverlap(cluster.dataDir, liveDataDir);
  await awaitLockFree(lockFile, signal);
  await refuseLivingServer(cluster.dataDir);
  await checkIdentity(cluster, systemIdentifier);
  await mkdir(cluster.dataDir, { recursive: true, mode: 0o700 });
  await giveTo(cluster.user, cluster.dataDir);
  const entries = new Set(await readdir(cluster.dataDir));
  await rm(join(cluster.dataDir, LEDGER_FILE), { force: true });
  await rm(join(cluster.dataDir, 'postmaster.pid'), { force: true });
  if (entries.has('backup.manifest') || entries.has('PG_VERSION')) return 'resume';
  for (const entry of entries) await rm(join(cluster.dataDir, entry), { recursive: true, force: true });
  return 'empty';
}

function refuseOverlap(stagingDir: string, liveDataDir: string): void {
  const inside = (path: string): boolean => path === '' || !path.startsWith('..');
  if (inside(relative(liveDataDir, stagingDir)) || inside(relative(stagingDir, liveDataDir))) {
    throw new DrError('TARGET_IS_ANOTHER', {
      path: stagingDir,
      actual: 'the live data directory',
      expected: 'a directory beside it',
    });
  }
}

export async function awaitLockFree(lockFile: string, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      await run(['true'], { lock: lockFile });
      return;
    } catch (error) {
      const busy = error instanceof DrError && error.code === 'TARGET_BUSY';
      if (!busy || performance.now() > deadline) throw error;
    }
    await sleep(LOCK_POLL_MS, undefined, { signal });
  }
}

/** A postmaster always works in its data directory, so a recycled process number deceives nobody. */
async function refuseLivingServer(dataDir: string): Promise<void> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const pid = Number.parseInt(text ?? '', 10);
  if (!Number.isInteger(pid)) return;
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (cwd === dataDir) throw new DrError('TARGET_BUSY', { path: `${dataDir} (PostgreSQL, process ${pid})` });
}
