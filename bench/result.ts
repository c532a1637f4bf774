import type { BareLimit } from './bare-limit.ts';
import { backupSummary, type BackupSummary } from './backup-result.ts';
import { judge, ratioSpread, spread, type Spread, type Verdict } from './figures.ts';
import { deviations, type Deviation } from './guide-script.ts';
import type { GuideRun } from './guide.ts';
import type { RecoverRun } from './recover.ts';
import type { Scene } from './scene.ts';

/** What was measured, in the shape of `--json`. */

export interface Round {
  readonly guide: GuideRun;
  readonly recover: RecoverRun;
  readonly bareLimit: BareLimit;
}

export interface BenchResult {
  readonly ratios: {
    /** (b) / (a), data restored. */
    readonly recoverToGuide: number;
    /** Redis and database phases of (b) / (c). */
    readonly recoverToBareLimit: number;
    /** The same, (c) made durable before the servers start, as (b) is. */
    readonly recoverToDurableBareLimit: number;
    /** (b) / (a with the same proofs), traffic verified. */
    readonly recoverToGuideVerified: number;
  };
  readonly spread: Readonly<Record<keyof BenchResult['ratios'], Spread>>;
  readonly targets: Readonly<Record<string, number>>;
  readonly medians: Readonly<Record<string, number>>;
  readonly spreadsMs: Readonly<Record<string, Spread>>;
  readonly orchestrationMs: Spread;
  readonly peakBytes: { readonly backup: number; readonly recover: number };
  readonly backup: BackupSummary;
  /** Every target of the issues, met or not. */
  readonly verdicts: readonly Verdict[];
  readonly scale: string;
  readonly data: { readonly keys: number; readonly rows: number; readonly databaseBytes: number };
  readonly events: Readonly<Record<string, string>>;
  readonly deviations: readonly Deviation[];
  readonly pageCache: string;
  readonly rounds: readonly Round[];
}

const GIB = 2 ** 30;

/** From the issues that asked for this; they are meant at scale large. */
export const TARGETS = {
  recoverToGuide: 0.5,
  recoverToBareLimit: 1.5,
  orchestrationMs: 3_000,
  workerBytes: 400 * 2 ** 20,
} as const;

export const EVENTS = {
  'backup (a)':
    "the guide's own commands one after the other, 'SAVE' first, in the clear; nothing is proven and nothing made durable",
  'backup (b)':
    "from 'tyk-dr backup --full --no-verify' being typed until the signed manifest is there: encrypted, every object counted and hashed, on the disk; beside it the proof, 'backup verify', which restores the set",
  stalls:
    'the longest single call of clients that write and read a little without a pause worth naming, at the highest priority, one on each store; the longest of all runs',
  a: "begins with the guide's first command, 'service redis-server stop', on a target where empty servers run; data restored when psql has returned and Redis has loaded; traffic verified adds the starts and health checks of the guide and, at the same points as (b), the same proofs",
  b: "begins when 'tyk-dr recover' is typed, on an empty target; data restored and traffic verified are the points of that name of the run's record, all proofs included",
  c: 'begins with the first copy of the data files, both stores at the same time; ends when Redis has loaded and PostgreSQL takes connections; nothing is decrypted, decompressed or proven',
  'data phases of (b)': "from the end of step claim-target to 'data restored'",
} as const;

export function resultOf(
  scale: string,
  scene: Scene,
  rounds: readonly Round[],
  notDropped: string | undefined,
): BenchResult {
  const times = {
    guideData: rounds.map(({ guide }) => guide.dataMs),
    guideVerified: rounds.map(({ guide }) => guide.verifiedMs),
    recoverData: rounds.map(({ recover }) => recover.dataMs),
    recoverVerified: rounds.map(({ recover }) => recover.verifiedMs),
    recoverPhases: rounds.map(({ recover }) => recover.phasesMs),
    bareLimit: rounds.map(({ bareLimit }) => bareLimit.plainMs),
    durableBareLimit: rounds.map(({ bareLimit }) => bareLimit.durableMs),
  };
  const spreadsMs = Object.fromEntries(
    Object.entries(times).map(([name, values]) => [name, spread(values)]),
  ) as Record<keyof typeof times, Spread>;
  const ratio = (over: keyof typeof times, under: keyof typeof times): number =>
    spreadsMs[over].median / spreadsMs[under].median;
  const ratios = {
    recoverToGuide: ratio('recoverData', 'guideData'),
    recoverToBareLimit: ratio('recoverPhases', 'bareLimit'),
    recoverToDurableBareLimit: ratio('recoverPhases', 'durableBareLimit'),
    recoverToGuideVerified: ratio('recoverVerified', 'guideVerified'),
  };
  const orchestrationMs = spread(rounds.map(({ recover }) => recover.orchestration.addedMs));
  const backup = backupSummary(scene.backups, scene.idle);
  const peakBytes = {
    backup: backup.peakBytes,
    recover: Math.max(...rounds.flatMap(({ recover }) => Object.values(recover.peakBytes))),
  };
  return {
    ratios,
    spread: {
      recoverToGuide: ratioSpread(times.recoverData, times.guideData),
      recoverToBareLimit: ratioSpread(times.recoverPhases, times.bareLimit),
      recoverToDurableBareLimit: ratioSpread(times.recoverPhases, times.durableBareLimit),
      recoverToGuideVerified: ratioSpread(times.recoverVerified, times.guideVerified),
    },
    targets: TARGETS,
    medians: Object.fromEntries(Object.entries(spreadsMs).map(([name, { median }]) => [name, median])),
    spreadsMs,
    orchestrationMs,
    peakBytes,
    backup,
    verdicts: [
      ...backup.verdicts,
      judge('recover: data restored, (b) to (a)', ratios.recoverToGuide, TARGETS.recoverToGuide, 'ratio'),
      judge(
        'recover: data phases of (b) to (c)',
        ratios.recoverToBareLimit,
        TARGETS.recoverToBareLimit,
        'ratio',
      ),
      judge('recover: orchestration adds', orchestrationMs.median, TARGETS.orchestrationMs, 'ms'),
      judge(
        'memory of a worker throughout',
        Math.max(peakBytes.backup, peakBytes.recover),
        TARGETS.workerBytes,
        'bytes',
      ),
    ],
    scale,
    data: {
      keys: scene.truth.keys,
      rows: Object.values(scene.truth.rows).reduce((sum, count) => sum + count, 0),
      databaseBytes: scene.truth.databaseBytes,
    },
    events: EVENTS,
    deviations: deviations({ keys: scene.literalKeys, healthStatus: rounds[0]!.guide.healthStatus }),
    pageCache:
      notDropped === undefined
        ? 'dropped before each measurement'
        : `NOT dropped: ${notDropped} (needs root); what is read may come from memory`,
    rounds,
  };
}

export const formatGib = (bytes: number): string => `${(bytes / GIB).toFixed(2)} GiB`;
