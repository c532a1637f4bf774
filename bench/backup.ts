import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { outside, type Lab } from '../lab/layout.ts';
import type { BackupResult } from '../domain/backup.ts';
import { bytesBelow } from './bytes-below.ts';
import { backUpByGuide, type GuideBackup } from './guide-backup.ts';
import { dropPageCache } from './page-cache.ts';
import { withStalls, type Stalls } from './stalls.ts';
import { tykDrJson } from './tyk-dr.ts';
import { withPeaks, type Peaks } from './worker-memory.ts';

/**
 * (a) the guide's backup and (b) that of tyk-dr, one after the other on the same live stores, with the same clients
 * watching. The guide's commands prove nothing: (b) is timed until its set is sealed, and its proof apart.
 */

export interface TykDrBackup {
  /** From the command's start until the signed manifest was there: the set can be restored. */
  readonly sealedMs: number;
  readonly stepsMs: Readonly<Record<string, number>>;
  /** What it added to the repositories: the set, pgBackRest's files and the WAL of that time. */
  readonly bytes: number;
  readonly stalls: Stalls;
  readonly peakBytes: Peaks;
}

export interface Proof {
  readonly totalMs: number;
  readonly stalls: Stalls;
  readonly peakBytes: Peaks;
}

export interface BackupRound {
  readonly guide: GuideBackup & { readonly stalls: Stalls };
  readonly full: TykDrBackup;
  /** `backup verify` of it: restored into scratch instances, compared, served from. */
  readonly proof: Proof;
  /** Next to nothing has changed since. */
  readonly incremental: TykDrBackup;
}

export interface MeasuredBackups {
  readonly backups: readonly BackupRound[];
  /** The same clients with no backup under way. */
  readonly idle: Stalls;
}

/** Alternating, so that what disturbs the machine for a while disturbs both. */
export async function measureBackups(
  lab: Lab,
  runs: number,
  say: (text: string) => void,
): Promise<MeasuredBackups> {
  const idle = await idleStalls(lab);
  const backups: BackupRound[] = [];
  for (let run = 1; run <= runs; run += 1) {
    say(`backup ${run} of ${runs}`);
    const round = await backUpByBoth(lab);
    backups.push(round);
    const [guide, full] = [round.guide.totalMs, round.full.sealedMs].map(
      (ms) => `${(ms / 1000).toFixed(1)} s`,
    );
    say(`  (a) ${guide}, (b) sealed after ${full}`);
  }
  return { idle, backups };
}

/** The stores serve, and nobody else writes. The last set that is there afterwards is full and proven. */
async function backUpByBoth(lab: Lab): Promise<BackupRound> {
  await dropPageCache();
  const { result: guide, stalls } = await withStalls(lab, () => backUpByGuide(lab));
  await dropPageCache();
  const { set, ...full } = await backUp(lab, ['--full']);
  const second = await backUp(lab, []);
  // A recovery takes the newest: that of this bench begins from a full one.
  await rm(setFolder(lab, second.set), { recursive: true });
  const proof = await prove(lab, set);
  return { guide: { ...guide, stalls }, full, proof, incremental: second };
}

/** The clients alone, for as long as a small backup takes: what this machine makes them wait anyway. */
async function idleStalls(lab: Lab): Promise<Stalls> {
  const idle = () => new Promise<void>((resolve) => setTimeout(resolve, IDLE_MS));
  return (await withStalls(lab, idle)).stalls;
}

const IDLE_MS = 2_000;

async function backUp(lab: Lab, more: readonly string[]): Promise<TykDrBackup & { set: string }> {
  const before = await repositoryBytes(lab);
  const { result, stalls } = await withStalls(lab, () =>
    withPeaks(lab, async () => {
      // Not before: the clients have to be there first.
      const startedAt = Date.now();
      const command = ['backup', lab.deployment, '--no-verify', ...more, '--json'];
      return { startedAt, made: await tykDrJson<BackupResult>(lab, command) };
    }),
  );
  const { startedAt, made } = result.result;
  const { set, steps } = made;
  return {
    set,
    sealedMs: (await stat(join(setFolder(lab, set), 'manifest.json'))).mtimeMs - startedAt,
    stepsMs: Object.fromEntries(steps.map(({ id, durationMs }) => [id, durationMs])),
    bytes: (await repositoryBytes(lab)) - before,
    stalls,
    peakBytes: result.peakBytes,
  };
}

async function prove(lab: Lab, set: string): Promise<Proof> {
  const { result, stalls } = await withStalls(lab, () =>
    withPeaks(lab, async () => {
      const startedAt = performance.now();
      await tykDrJson(lab, ['backup', 'verify', lab.deployment, set, '--json']);
      return performance.now() - startedAt;
    }),
  );
  return { totalMs: result.result, stalls, peakBytes: result.peakBytes };
}

const setFolder = (lab: Lab, set: string): string => outside(lab, 'sets', lab.deployment, set);

async function repositoryBytes(lab: Lab): Promise<number> {
  return (await bytesBelow(outside(lab, 'sets'))) + (await bytesBelow(outside(lab, 'pgbackrest')));
}
