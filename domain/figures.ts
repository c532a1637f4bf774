import type { MarkedStore } from './beacon.ts';
import type { HostReport } from './doctor.ts';
import type { StoreStanding } from './replication.ts';

/** What workers measure of a deployment's stores, sets and archives: what every judgement about loss rests on. */

export const STORES = ['redis', 'database', 'config'] as const;
export type Store = (typeof STORES)[number];

/** One usable set of the repository, as far as watching needs it. */
export interface SetFigures {
  readonly set: string;
  readonly startedAt: string;
  readonly createdAt: string;
  readonly verifiedAt?: string;
  readonly stores: Readonly<Partial<Record<Store, StoreFigures>>>;
  /** The generation of the database repository that it lies in. */
  readonly generation?: string;
  /** Sealed anew long after its data were taken: how long that took says nothing of a backup. */
  readonly resealed?: boolean;
  /** Where it is whole off-site, and since when. */
  readonly copies?: readonly CopyFigures[];
}

export interface CopyFigures {
  readonly name: string;
  readonly at: string;
  /** All WAL that was archived before `walAt` is there, through this segment. */
  readonly walThrough?: string;
  readonly walAt?: string;
}

export interface StoreFigures {
  /** Nothing later is in it. */
  readonly pointAt: string;
  readonly bytes: number;
  readonly durationMs?: number;
}

/** One usable snapshot, of the one store that it holds. */
export interface SnapshotFigures extends SetFigures {
  readonly belongsTo: string;
}

/** A point to which a store can be brought besides those of sets: a snapshot, a shipped log. */
export interface Point {
  readonly store: Store;
  readonly at: string;
  readonly label: string;
}

/** What the archive of a running PostgreSQL says (`pg_stat_archiver`, `pg_ls_archive_statusdir`). */
export interface ArchiveFigures {
  readonly generation?: string;
  readonly archivedAt?: string;
  /** The segment that was archived last. */
  readonly archivedThrough?: string;
  readonly failedAt?: string;
  /** Finished segments that wait to be archived. */
  readonly waiting: number;
  /** After this long a segment with something in it is finished; 0: never by time. */
  readonly timeoutMs: number;
}

/** What a site keeps on its disk for those that follow it (`pg_replication_slots`). */
export interface SlotFigures {
  /** Of the filesystem that holds the WAL. */
  readonly freeBytes: number;
  /** In force there (`max_slot_wal_keep_size`); absent where nothing limits it. */
  readonly keepBytes?: number;
  /** One for each other site that has one. */
  readonly slots: readonly SlotFigure[];
}

export interface SlotFigure {
  /** The site that it is for. */
  readonly site: string;
  readonly heldBytes: number;
  /** Somebody reads it now. */
  readonly active: boolean;
  /** `reserved`, `extended`, `unreserved`, `lost`: as PostgreSQL has it. */
  readonly status: string;
}

/** What commits of the database that serves wait for. */
export interface CommitFigures {
  /** `replication.database.mode` wants it. */
  readonly wanted: boolean;
  /** `synchronous_standby_names`; empty where they wait for nobody. */
  readonly names: string;
  /** One that it names confirms them now. */
  readonly confirmed: boolean;
  /** So many wait at this moment. */
  readonly waiting: number;
}

/** What one worker sees of replication, where the strategy of the deployment is to replicate. */
export interface ReplicationFigures {
  readonly deployment: string;
  /** A standby that is further behind is not failed over to without a person, milliseconds. */
  readonly maxLagMs: number;
  /** The stores that the site has, on whatever host. */
  readonly stores: readonly MarkedStore[];
  /** The site whose stores it follows. */
  readonly follows?: string;
  /** Of a standby: its stores on this host. */
  readonly standing?: readonly StoreStanding[];
  /** Of the site that serves, where its database is on this host. */
  readonly slots?: SlotFigures;
  /** The same; absent from workers of earlier versions. */
  readonly commits?: CommitFigures;
}

/** What tells whether two sites would serve the same: what a host has of a {@link HostReport}. */
export type Prints = Pick<HostReport, 'trees' | 'versions' | 'recipient'>;

/** What one worker measured of its site. */
export interface HostFigures {
  readonly site: string;
  readonly worker: string;
  readonly measuredAt: string;
  /** Its stores run and nobody has fenced them. */
  readonly live: boolean;
  readonly fencedBy?: string;
  /** The stores of the site that this worker serves. */
  readonly serves: readonly Store[];
  readonly archive?: ArchiveFigures;
  /** When anything in the configuration trees was changed last. */
  readonly configChangedAt?: string;
  readonly points: readonly Point[];
  /** Off-site copies are configured: only what is in one of them counts. */
  readonly offSite?: boolean;
  /** Newest first. Absent where the repository could not be read. */
  readonly sets?: readonly SetFigures[];
  /** Newest first; absent where they could not be read, or from workers of earlier versions. */
  readonly snapshots?: readonly SnapshotFigures[];
  /** Where the strategy replicates; absent from workers of earlier versions. */
  readonly replication?: ReplicationFigures;
  /** Where the strategy replicates, and a look has asked for it. */
  readonly prints?: Prints;
  readonly problems: readonly string[];
}
