import { backupSummary, type BackupSummary } from './backup-result.ts';
import { judge, ratioSpread, spread, type Spread, type Verdict } from './figures.ts';
import type { MongoRound, MongoScene } from './mongodb.ts';
import { formatGib, TARGETS } from './result.ts';
import { backupRows, mebibytes, ratio, row, seconds, verdictRow } from './rows.ts';

/** What the MongoDB bench found, for `--json` and for people. Pure. */

export interface MongoResult {
  readonly data: { readonly documents: number; readonly bytes: number };
  readonly spreadsMs: { readonly limit: Spread; readonly restore: Spread };
  /** The speed of the restore to that of the bare limit, run by run. */
  readonly restoreToLimit: Spread;
  readonly peakBytes: { readonly backup: number; readonly recover: number };
  readonly backup: BackupSummary;
  readonly verdicts: readonly Verdict[];
  readonly rounds: readonly MongoRound[];
}

/** From the issue that asked for this: no less than half of the raw insert limit, for 1 GB. */
export const MONGO_TARGET = 0.5;

export function mongoResultOf({ documents, bytes, rounds, backups, idle }: MongoScene): MongoResult {
  const limitMs = rounds.map((round) => round.limitMs);
  const restoreMs = rounds.map((round) => round.restoreMs);
  const backup = backupSummary(backups, idle);
  const restoreToLimit = ratioSpread(limitMs, restoreMs);
  const recover = Math.max(...rounds.flatMap(({ peakBytes }) => Object.values(peakBytes)));
  return {
    data: { documents, bytes },
    spreadsMs: { limit: spread(limitMs), restore: spread(restoreMs) },
    restoreToLimit,
    peakBytes: { backup: backup.peakBytes, recover },
    backup,
    verdicts: [
      ...backup.verdicts,
      judge('restore: its speed to the bare limit', restoreToLimit.median, MONGO_TARGET, 'ratio', 'least'),
      judge(
        'memory of a worker throughout',
        Math.max(backup.peakBytes, recover),
        TARGETS.workerBytes,
        'bytes',
      ),
    ],
    rounds,
  };
}

export function mongoTableOf(result: MongoResult): string {
  const { data, spreadsMs, restoreToLimit, peakBytes } = result;
  const speed = ({ median }: Spread): string =>
    `${(data.bytes / 2 ** 20 / (median / 1000)).toFixed(1)} MiB/s`;
  const rounds = result.rounds.length;
  return [
    `MongoDB, ${data.documents} documents of analytics, ${formatGib(data.bytes)} of BSON; the server is FerretDB with SQLite`,
    `${rounds} alternating ${rounds === 1 ? 'run' : 'runs'} on the same data, medians (min..max)`,
    '',
    ...backupRows(result.backup),
    '',
    row('restore', 'time', 'speed'),
    row('(b) restore-database-data', seconds(spreadsMs.restore), speed(spreadsMs.restore)),
    row('(c) bare limit: raw inserts', seconds(spreadsMs.limit), speed(spreadsMs.limit)),
    row('speed of (b) to (c)', ratio(restoreToLimit.median, restoreToLimit), ''),
    row(
      'peak memory of a worker',
      mebibytes(peakBytes.recover),
      `in recover; ${mebibytes(peakBytes.backup)} in backup`,
    ),
    '',
    'targets; that of the restore is meant for 1 GB',
    ...result.verdicts.map(verdictRow),
    '',
    '(b) is the step of a recovery: every object opened and hashed, inserted, three indexes made, counted, switched in',
    '(c) is the driver, sending the same raw documents unordered into an empty collection without indexes, in batches of at most 1,000 documents and 4 MiB, four at a time; nothing is opened and nothing proven',
  ].join('\n');
}
