import { DrError } from '../../domain/errors.ts';
import type { ClusterConfig, PgbackrestRepository } from '../../domain/config.ts';
import type { PostgresFacts } from '../../domain/manifest.ts';
import type { Secret } from '../../domain/secret.ts';
import type { Cluster } from './control.ts';
import type { Pgbackrest } from './pgbackrest.ts';
import type { ScratchServer } from './scratch-server.ts';
import type { Ledger } from './staging.ts';
import type { Timings } from './timings.ts';

/** What a restore is asked for and what it answers. */

export type RecoveryTarget =
  /** Everything that was archived on the backup's timeline. */
  | { readonly kind: 'end' }
  /** The restore point that the facts name: exact. */
  | { readonly kind: 'restore-point' }
  /** The last commit at or before a time (UTC ISO). */
  | { readonly kind: 'time'; readonly time: string };

export interface StageRequest<T> {
  /** Tools, user and folders of the host where the restore is made. */
  readonly config: ClusterConfig;
  readonly repository: PgbackrestRepository;
  readonly passphrase: Secret;
  /** From the signed manifest of the set. */
  readonly facts: PostgresFacts;
  readonly target: RecoveryTarget;
  readonly stagingDir: string;
  /** Whose lock the tools hold; default beside the staging directory. */
  readonly lockFile?: string;
  /** The restored cluster archives nowhere, whatever its configuration says: it is a rehearsal. */
  readonly withoutArchive?: boolean;
  readonly ledger: Ledger;
  /** More that the ledger file is to hold. */
  readonly ledgerExtra?: Readonly<Record<string, unknown>>;
  /** Called with the promoted server; what it returns must survive JSON, and is part of the result. */
  readonly prove: (server: ScratchServer) => Promise<T>;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface StagedRestore<T> {
  readonly reachedLsn: string;
  /** Where the last record of the archive begins (`end`), or the LSN or time that was asked for. */
  readonly expected: string;
  /** Before and after promotion. */
  readonly recoveredTimeline: number;
  readonly timeline: number;
  /** Commit time of the last replayed transaction (UTC ISO); absent where the WAL held none. */
  readonly lastCommitAt?: string;
  readonly walSegments: number;
  readonly walBytes: number;
  readonly systemIdentifier: string;
  /** Milliseconds by part: files, wal (beside files), start, replay, promote, prove, stop, sync. */
  readonly durationsMs: Readonly<Record<string, number>>;
  readonly proof: T;
}

/** A restore under way. */
export interface RestoreJob<T> {
  readonly request: StageRequest<T>;
  readonly cluster: Cluster;
  readonly tool: Pgbackrest;
  readonly walDir: string;
  readonly lockFile: string;
  readonly how: 'empty' | 'resume';
  readonly timings: Timings;
  readonly say: (text: string) => void;
}

/** What recovery is to reach, for errors and results; for the end of the archive see `lastRecordLsn`. */
export function expectation({ target, facts }: Pick<StageRequest<unknown>, 'target' | 'facts'>): string {
  if (target.kind === 'restore-point') return facts.restorePointLsn;
  return target.kind === 'time' ? target.time : 'the end of the archive';
}

export function tooEarly(time: string, label: string, options: { cause?: unknown } = {}): DrError {
  const expected = `a time after backup ${label} had ended`;
  return new DrError('BAD_ARGUMENT', { argument: 'the time', value: time, expected }, options);
}
