import type { PartResult } from '../../domain/backup.ts';
import type { DatabaseBackup, DatabaseFacts, Manifest } from '../../domain/manifest.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import type { SecretRef } from '../../domain/secret.ts';
import type { Definitions } from '../../domain/versioned.ts';
import type { BackupCall, Call } from '../guard.ts';

/**
 * How a database is backed up, restored and read. Each method is one object, chosen in `choose.ts` by the site's
 * configuration; a set is restored by the method that made it, and no other.
 */
export interface DatabaseMethod extends DatabaseBackUps, DatabaseRecovery, DatabaseQueries {
  /** As sets name it in `database.method`. */
  readonly name: DatabaseBackup['method'];
}

/** What becomes part of a set, and what shows that it can be restored. */
export interface DatabaseBackUps {
  backUp(call: BackupCall): Promise<PartResult>;
  /** Beyond the objects of the set, which are read anyway. Before the first effect of a recovery, and of a proof. */
  checkBackup(call: Call | BackupCall, manifest: Manifest, note: Note): Promise<Proof[]>;
  /**
   * Where a scratch instance may lie, as the restore needs it: on a disk that is meant for data. It ends with the id of
   * the set: so is found what a killed proof has left.
   */
  scratchFolder(call: BackupCall): string;
  /**
   * Restores the set into a scratch instance of its own in that folder; the caller removes the folder.
   *
   * @param whileUp called once, when the instance has passed its own comparison and still runs.
   */
  verify(
    call: BackupCall,
    manifest: Manifest,
    scratchDir: string,
    whileUp: (database: ScratchDatabase) => Promise<void>,
  ): Promise<VerifiedDatabase>;
}

/** A scratch instance that runs, and where a Dashboard finds it. */
export interface ScratchDatabase {
  readonly definitions: Definitions;
  /** Takes every password. The host may be the folder of a socket. */
  readonly door: {
    readonly host: string;
    readonly port: number;
    readonly name: string;
    readonly user?: string;
  };
}

/**
 * What a restore gets along with and somebody must hear of all the same: `damage`, in words, or the first segment that
 * the WAL behind the set lacks although there are later ones; and what came from an off-site `copy`, and why.
 */
export type Note = (kind: 'damage' | 'wal-gap' | 'copy', what: string) => void;

export interface VerifiedDatabase {
  readonly facts: DatabaseFacts;
  /** What was looked at besides rows, for people: `4711 pages checked`. */
  readonly detail: string;
}

/** The steps of a recovery. Every mutating one looks before it acts and may be repeated after a kill at any moment. */
export interface DatabaseRecovery {
  /** Every secret that the steps below will ask for. */
  secrets(call: Call): (SecretRef | undefined)[];
  /** The programs of the target. @throws DrError TOOL_MISSING, or another that an installation may mend */
  checkTools(call: Call, manifest: Manifest): Promise<Proof[]>;
  /** The folder in which the restore needs room; undefined where the data are none of our host's. */
  disk(call: Call): string | undefined;
  /** For a plan that starts the store without restoring it. @throws DrError TARGET_COLD, TARGET_IS_ANOTHER */
  checkWarm(call: Call, manifest: Manifest): Promise<Proof[]>;
  restore(call: Call): Promise<StepResult>;
  start(call: Call): Promise<StepResult>;
  prove(call: Call): Promise<StepResult>;
  protect(call: Call): Promise<StepResult>;
  /**
   * Of a method that restores into a running server: what of ours there is in it, by name. The server runs, or does not,
   * afterwards as before.
   */
  contents?(call: Call): Promise<string[]>;
  /** Puts the old data back; tolerates that nothing had happened. @returns what it did, for people. */
  undo(call: Call): Promise<string>;
  /** @returns whether there were old data to remove. */
  discardOld(call: Call): Promise<boolean>;
}

/** Where a live site's database is asked without a plan. */
export type SiteDoor = Pick<BackupCall, 'site' | 'secret'>;

/** What the proofs ask the database itself, to hold the Dashboard's and the Pump's answers against. */
export interface DatabaseQueries {
  /** Ids of the organisation's APIs and policies, sorted. */
  controlIds(call: Call): Promise<ControlIds>;
  /** Analytics records of requests with this user agent. */
  countAnalytics(call: Call, userAgent: string): Promise<number>;
  /** API and policy documents in the form in which the Dashboard keeps them, in any order. */
  definitions(door: SiteDoor): Promise<Definitions>;
  /** Whether it takes the Dashboard's user. @throws DrError STORE_UNREACHABLE */
  ping(door: SiteDoor): Promise<void>;
}

export interface ControlIds {
  readonly apiIds: readonly string[];
  readonly policyIds: readonly string[];
}
