import type { BackupRound } from './backup.ts';
import { judge, ratioSpread, spread, type Spread, type Verdict } from './figures.ts';
import type { Stalls } from './stalls.ts';

/** What the backups took, in the shape of `--json`. Pure. */

export interface BackupSummary {
  /** (b) to (a), run by run: until the set is sealed to the guide's last command; bytes to bytes. */
  readonly ratios: { readonly time: Spread; readonly size: Spread };
  readonly timesMs: Readonly<
    Record<'guide' | 'guideRedis' | 'guideDatabase' | 'sealed' | 'incremental' | 'proof', Spread>
  >;
  /** Medians. */
  readonly bytes: Readonly<Record<'guide' | 'sealed' | 'incremental', number>>;
  /** The longest single call of a client in any run, in milliseconds. */
  readonly stallsMs: Readonly<
    Record<'idle' | 'guide' | 'sealed' | 'incremental' | 'proof', Readonly<Record<keyof Stalls, number>>>
  >;
  /** The most of any worker, in bytes, the proof included. */
  readonly peakBytes: number;
  readonly verdicts: readonly Verdict[];
  /** What the guide's side went without. */
  readonly withoutDatabase?: string;
  readonly rounds: readonly BackupRound[];
}

/** From the issue that asked for this: no slower, at most half the size, no client waits longer than this. */
export const BACKUP_TARGETS = { time: 1, size: 0.5, stallMs: 100 } as const;

export function backupSummary(rounds: readonly BackupRound[], idle: Stalls): BackupSummary {
  const of = (pick: (round: BackupRound) => number): number[] => rounds.map(pick);
  const guideMs = of(({ guide }) => guide.totalMs);
  const sealedMs = of(({ full }) => full.sealedMs);
  const guideBytes = of(({ guide }) => guide.bytes);
  const sealedBytes = of(({ full }) => full.bytes);
  const ratios = { time: ratioSpread(sealedMs, guideMs), size: ratioSpread(sealedBytes, guideBytes) };
  const longest = (stalls: readonly Stalls[]): Record<keyof Stalls, number> => ({
    redis: Math.max(...stalls.map(({ redis }) => redis.maxMs)),
    database: Math.max(...stalls.map(({ database }) => database.maxMs)),
  });
  const stallsMs = {
    idle: longest([idle]),
    guide: longest(rounds.map(({ guide }) => guide.stalls)),
    sealed: longest(rounds.map(({ full }) => full.stalls)),
    incremental: longest(rounds.map(({ incremental }) => incremental.stalls)),
    proof: longest(rounds.map(({ proof }) => proof.stalls)),
  };
  const without = rounds[0]?.guide.withoutDatabase;
  return {
    ratios,
    timesMs: {
      guide: spread(guideMs),
      guideRedis: spread(of(({ guide }) => guide.redisMs)),
      guideDatabase: spread(of(({ guide }) => guide.databaseMs)),
      sealed: spread(sealedMs),
      incremental: spread(of(({ incremental }) => incremental.sealedMs)),
      proof: spread(of(({ proof }) => proof.totalMs)),
    },
    bytes: {
      guide: spread(guideBytes).median,
      sealed: spread(sealedBytes).median,
      incremental: spread(of(({ incremental }) => incremental.bytes)).median,
    },
    stallsMs,
    peakBytes: Math.max(
      ...rounds.flatMap(({ full, incremental, proof }) =>
        [full, incremental, proof].flatMap(({ peakBytes }) => Object.values(peakBytes)),
      ),
    ),
    verdicts: [
      // Without the guide's command for the database there is nothing to compare with.
      ...(without === undefined
        ? [
            judge('backup: time until sealed, (b) to (a)', ratios.time.median, BACKUP_TARGETS.time, 'ratio'),
            judge('backup: size, (b) to (a)', ratios.size.median, BACKUP_TARGETS.size, 'ratio'),
          ]
        : []),
      judge('backup: longest stall on Redis', stallsMs.sealed.redis, BACKUP_TARGETS.stallMs, 'ms'),
      judge('backup: longest stall on the database', stallsMs.sealed.database, BACKUP_TARGETS.stallMs, 'ms'),
    ],
    ...(without === undefined ? {} : { withoutDatabase: without }),
    rounds,
  };
}
