import type { BelongsTo, DatabaseBackup, ManifestObject, RedisFacts } from './manifest.ts';
import type { Verdict } from './retention.ts';
import type { StepResult } from './run.ts';
import type { SnapshotKind } from './snapshot.ts';

/** What travels through the runbook `backup`. */

export interface BackupInput {
  /** Our own id of the run: `bak-20261124-031500-1f2e`. */
  readonly run: string;
  /** The id of the set or snapshot that it makes. */
  readonly set: string;
  /** A snapshot of this store instead of a set. */
  readonly only?: SnapshotKind;
  readonly deployment: string;
  readonly configDigest: string;
  /** One named site, or all for the run to choose from. */
  readonly sites: readonly SiteWorkers[];
  /** A full database backup even where an incremental one would do. */
  readonly full: boolean;
  /** The off-site copies that it goes to, by name. */
  readonly copies?: readonly string[];
  /** The off-site copy from which alone a set is proven. */
  readonly copy?: string;
  readonly actor: string;
}

/** The workers of one site, by what they serve. */
export interface SiteWorkers {
  readonly site: string;
  readonly all: readonly string[];
  readonly redis: string;
  readonly database: string;
}

export interface BackupStepInput {
  readonly run: string;
  readonly step: string;
  readonly set: string;
  readonly deployment: string;
  readonly site: string;
  readonly configDigest: string;
  readonly full: boolean;
  readonly copy?: string;
  readonly notAfter: string;
}

/** One part of a set, as its activity made it. */
export interface PartResult extends StepResult {
  readonly objects: readonly ManifestObject[];
  readonly redis?: RedisFacts;
  readonly database?: DatabaseBackup;
  /** When the first configuration tree began to be read. */
  readonly configTakenAt?: string;
  readonly versions?: Readonly<Record<string, string>>;
  /** As the workflow saw it, with the time in queues. */
  readonly durationMs?: number;
}

export interface LiveResult extends StepResult {
  readonly live: boolean;
}

/** The set that a snapshot will belong to. */
export interface ParentResult extends StepResult {
  readonly belongsTo: BelongsTo;
}

/** Says whether there is a git repository to commit the set's configuration to, and whether the worker exports. */
export interface SealResult extends StepResult {
  readonly git?: boolean;
  /** Absent from workers of before the exported runbook. */
  readonly runbook?: boolean;
  /** The other sites, where the strategy replicates and the set holds configuration. */
  readonly standbys?: readonly StandbyWorkers[];
}

/** A site to which files are to be brought where it is a standby. */
export interface StandbyWorkers {
  readonly site: string;
  readonly all: readonly string[];
}

export interface BringFilesResult extends StepResult {
  /** The components whose files have changed; absent where none has. */
  readonly brought?: readonly string[];
  /** Those that differ, and were left to the run that is under way. */
  readonly left?: readonly string[];
  readonly warning?: string;
}

/** What came of it on each host. */
export interface FilesBrought {
  readonly run: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly hosts: readonly (BringFilesResult & { readonly site: string; readonly worker: string })[];
}

export interface CommitResult extends StepResult {
  /** Why the configuration is not in git; the set is sound nevertheless. */
  readonly warning?: string;
}

export interface BackupResult {
  readonly run: string;
  readonly set: string;
  readonly site: string;
  /** Of a snapshot: the set that it is used with. */
  readonly belongsTo?: string;
  readonly verified: boolean;
  /** The off-site copies that hold it. */
  readonly copies?: readonly string[];
  readonly bytes: number;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly steps: readonly { readonly id: string; readonly durationMs: number; readonly summary: string }[];
  /** What did not go well and leaves the set sound. */
  readonly warnings?: readonly string[];
}

/** Whether one identity opens one object at one place. */
export interface KeyTest {
  /** `local`, or the name of an off-site copy. */
  readonly place: string;
  /** As the configuration refers to it. */
  readonly identity: string;
  readonly set?: string;
  readonly object?: string;
  /** Why it does not; absent where it does. */
  readonly problem?: string;
}

export interface KeyTestResult extends StepResult {
  readonly tests: readonly KeyTest[];
  readonly failed: number;
}

export interface RewrapResult extends StepResult {
  /** The set that is sealed for the present recipients; `observed` where it was there before. */
  readonly set: string;
  readonly verified?: boolean;
}

export interface ShipWalResult extends StepResult {
  /** Copies to which the newest set is to be brought as a whole: it is not there, or not compared for long. */
  readonly behind: readonly string[];
}

export interface PruneResult extends StepResult {
  readonly verdicts: readonly Verdict[];
  /** Over the snapshots; absent in results of earlier versions. */
  readonly snapshots?: readonly Verdict[];
  /** What lies in the repository and is no whole set: reported, never deleted. */
  readonly orphans: readonly string[];
  /** Labels of pgBackRest that go with the sets. */
  readonly expired: readonly string[];
  /** Shipped append-only logs of Redis; absent in results of earlier versions. */
  readonly logs?: readonly string[];
  /** The off-site copies, in the order of the configuration. */
  readonly copies?: readonly PrunedCopy[];
}

/** What went at one copy, or would. */
export interface PrunedCopy {
  readonly copy: string;
  /** False where the configuration leaves it to others, or where it could not be done. */
  readonly pruned: boolean;
  readonly verdicts: readonly Verdict[];
  readonly orphans: readonly string[];
  /** Of the pgBackRest repositories there: how many files no set needs any more. */
  readonly files: number;
  readonly bytes: number;
  /** What could not be done, and why. */
  readonly problem?: string;
}
