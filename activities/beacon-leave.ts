import { existsSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { recordFile, scriptLogFile } from '../adapters/backup/runs.ts';
import { recoveryFile, sortFiles } from '../adapters/beacon/files.ts';
import { readRecoveries } from '../adapters/beacon/read.ts';
import { exists } from '../adapters/files/exists.ts';
import { readDrillMark } from '../adapters/host/drill-mark.ts';
import { leaseFile, readLease } from '../adapters/host/epoch.ts';
import { fenceFile, readFence } from '../adapters/host/fence.ts';
import { readStandbyMark, standbyFile } from '../adapters/host/standby-mark.ts';
import type { BackupConfig, Site } from '../domain/config.ts';
import { liveState } from './live.ts';

/**
 * Whether the beacon of a site may write: not on a site that was given up, not while a run restores its stores, and
 * not where another site serves.
 */

/** Another site whose beacon has written so lately serves. */
const OTHER_WRITES_MS = 60_000;
/** A run whose end nobody can find any more holds the beacon for so long. */
const HELD_MS = 6 * 3_600_000;
/** The newest lines of an exported script's log say whether it has ended. */
const LOG_TAIL_BYTES = 64 * 1024;

export interface LeaveRequest {
  readonly deployment: string;
  readonly siteName: string;
  readonly site: Site;
  readonly backup: Pick<BackupConfig, 'repository'>;
  readonly folders: readonly string[];
  readonly worker: string;
  /** Whether every store has just acknowledged a number: then it runs, and no command need be asked. */
  readonly acknowledges?: () => boolean;
}

/** Looks at the site's own state folder alone: cheap enough for every number. @returns why not, else undefined */
export async function barred(request: LeaveRequest): Promise<string | undefined> {
  const { siteName, site } = request;
  // Seldom there: a look that finds nothing costs no thread and no error.
  const fence = existsSync(fenceFile(site.stateDir)) ? await readFence(site.stateDir) : undefined;
  if (fence !== undefined) return `${siteName} was given up by ${fence}`;
  const standby = existsSync(standbyFile(site.stateDir)) ? await readStandbyMark(site.stateDir) : undefined;
  if (standby !== undefined) return `the stores of ${siteName} follow those of ${standby.of}`;
  const lease = existsSync(leaseFile(site.stateDir)) ? await readLease(site.stateDir) : undefined;
  if (!lease || (await isOver(request, lease.run))) return undefined;
  return `run ${lease.run} has ${siteName} in its hands and has not measured the loss yet`;
}

/** Runs that are known to be over stay so. */
const over = new Set<string>();

async function isOver(
  { deployment, backup, folders, site, worker }: LeaveRequest,
  run: string,
): Promise<boolean> {
  const key = `${run} ${worker}`;
  if (over.has(key)) return true;
  const signs = [
    ...folders.map((folder) => exists(recoveryFile(folder, run, worker))),
    exists(recordFile(backup, deployment, run)),
    scriptHasEnded(scriptLogFile(backup, deployment, run)),
    isOld(leaseFile(site.stateDir)),
  ];
  const found = (await Promise.all(signs)).some(Boolean);
  if (found) over.add(key);
  return found;
}

const isOld = (file: string): Promise<boolean> =>
  stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > HELD_MS,
    () => false,
  );

async function scriptHasEnded(file: string): Promise<boolean> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return false;
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).includes('"event":"finish"');
  } finally {
    await handle.close();
  }
}

/**
 * Whether this site is the one that serves: the one that a recovery has brought up last; without any, one that runs its
 * stores while no other site's beacon writes. Asked when a beacon begins, and now and then.
 *
 * @returns why not, else undefined
 */
export async function servesElsewhere(request: LeaveRequest): Promise<string | undefined> {
  const { folders, siteName, site, worker } = request;
  const recoveries = (
    await Promise.all(folders.map((folder) => readRecoveries(folder).catch(() => [])))
  ).flat();
  const newest = recoveries.sort((a, b) => a.epoch - b.epoch).at(-1);
  const other = newest?.to === siteName ? undefined : await otherWriter(folders, siteName);
  if (other !== undefined) return `the beacon of ${other} writes`;
  // Asking services costs processes: in a quiet year more than all the numbers.
  // Where the stores are managed they run at every site, and tell nothing; nor does a rehearsal.
  const tells = site.redis?.service !== undefined || site.database?.service !== undefined;
  if (tells && request.acknowledges?.() && !(await readDrillMark(site.stateDir))) return undefined;
  const { live, summary } = await liveState(worker, siteName, site);
  return live ? undefined : `it does not serve: ${summary}`;
}

async function otherWriter(folders: readonly string[], siteName: string): Promise<string | undefined> {
  for (const folder of folders) {
    const { logs } = sortFiles(await readdir(folder).catch(() => []));
    for (const { name, site } of [...logs.values()].slice(-2).flat()) {
      if (site === siteName) continue;
      const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: 0 }));
      if (Date.now() - mtimeMs < OTHER_WRITES_MS) return site;
    }
  }
  return undefined;
}

/** The highest number of the newest two days: a restart goes on behind it. */
export async function lastNumber(folders: readonly string[]): Promise<number | undefined> {
  let last: number | undefined;
  for (const folder of folders) {
    const { logs } = sortFiles(await readdir(folder).catch(() => []));
    for (const { name } of [...logs.values()].slice(-2).flat()) {
      const text = await readFile(join(folder, name), 'utf8').catch(() => '');
      const end = text.lastIndexOf('\n');
      const number = Number(
        /(\d+)(?: [rd]-?\d+)+$/.exec(text.slice(Math.max(0, end - 100), Math.max(0, end)))?.[1],
      );
      if (number > (last ?? 0)) last = number;
    }
  }
  return last;
}
