/** What a backup set holds. Written last and signed: no manifest, no backup. Bytes are bytes, times UTC ISO. */

import type { MongoFacts } from './mongodb.ts';

export const MANIFEST_FORMAT = 'tyk-dr/backup/v1';
/** Another one than that of a set: what does not know snapshots refuses it, and never takes it for all of a backup. */
export const SNAPSHOT_FORMAT = 'tyk-dr/snapshot/v1';

/** `20261124T031500Z-1f2e`: sorts by time. */
export const SET_ID = /^\d{8}T\d{6}Z-[0-9a-f]{4}$/;

/** When it was begun: `20261124T031500Z-1f2e` at 03:15:00. UTC ISO, to the second. */
export function startOfId(id: string): string {
  return id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/, '$1-$2-$3T$4:$5:$6.000Z');
}

/**
 * The id of a set with the content of another: of the same second, so that it sorts where its data belong and never
 * passes for a newer backup, and behind the other.
 *
 * @param taken whether a set has this id already.
 */
export function rewrappedId(set: string, taken: (id: string) => boolean): string {
  const [second, tail] = set.split('-') as [string, string];
  for (let number = Number.parseInt(tail, 16) + 1; number <= 0xffff; number += 1) {
    const id = `${second}-${number.toString(16).padStart(4, '0')}`;
    if (!taken(id)) return id;
  }
  const [, year, month, day, hour, minute, at] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(second)!;
  const next = new Date(Date.UTC(+year!, +month! - 1, +day!, +hour!, +minute!, +at! + 1));
  const name = next.toISOString().replaceAll(/[-:]/g, '').slice(0, 15);
  return taken(`${name}Z-0000`) ? rewrappedId(`${name}Z-0000`, taken) : `${name}Z-0000`;
}

export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT | typeof SNAPSHOT_FORMAT;
  /** Sorts by time: `20261124T031500Z-1f2e`; of a snapshot with its kind behind: `20261124T041500Z-77aa-redis`. */
  readonly set: string;
  /** Of a snapshot: the full set that it is used with. A set has none. */
  readonly belongsTo?: BelongsTo;
  readonly deployment: string;
  readonly site: string;
  /** When its last part was complete: nothing in the set is later. */
  readonly createdAt: string;
  readonly tool: { readonly name: 'tyk-dr'; readonly version: string };
  /** The set whose content this is, sealed anew for other recipients: its id has the same time, and so has it. */
  readonly rewrapOf?: string;
  /** The public age recipients that can open the objects. */
  readonly recipients: readonly string[];
  readonly objects: readonly ManifestObject[];
  readonly redis?: RedisFacts;
  readonly database?: DatabaseBackup;
  /** When the first configuration tree began to be read: what was changed later is not surely in it. */
  readonly configTakenAt?: string;
  /** Versions as the components reported them; a component that did not answer is absent. */
  readonly versions: Readonly<Record<string, string>>;
  /** How long each store took, milliseconds. */
  readonly durations?: Readonly<Partial<Record<'redis' | 'database' | 'config', number>>>;
}

/** A full set, and the bytes of its manifest: another set under the same name is not the one that was meant. */
export interface BelongsTo {
  readonly set: string;
  readonly manifestSha256: string;
}

export interface ManifestObject {
  /** Unique within the set: `redis`, `redis-samples`, `dashboard`, `gateway-gw1`, `pump`, `pgbackrest-files`, `pgbackrest-passphrase`, `dump-control`, `dump-analytics`, `redis-server`, `postgresql-server`, `definitions`. */
  readonly name: string;
  /** Relative to the folder of the set. */
  readonly file: string;
  readonly plain: Fingerprint;
  readonly cipher: Fingerprint;
}

export interface Fingerprint {
  readonly sha256: string;
  readonly bytes: number;
}

export interface RedisFacts {
  readonly version: string;
  /** The RDB format's own version: from the file's first nine bytes, or the newest among the keys' payloads. */
  readonly rdbVersion: number;
  readonly takenAt: string;
  /** Absent for a streamed RDB: one moment. By commands: what each key was when it was reached, until `endedAt`. */
  readonly method?: 'commands';
  readonly endedAt?: string;
  /** Counted in a scratch load of this very RDB, without `analytics-*`. */
  readonly keys: number;
  readonly expires: number;
  /** Keys by their prefix up to the first dash or dot, largest first. */
  readonly prefixes: Readonly<Record<string, number>>;
}

/** In the sealed object `redis-samples`: where keys are not hashed, their names are credentials. */
export interface RedisSample {
  readonly key: string;
  readonly type: string;
  /** SHA-256 over the canonical form of the value (members and fields sorted; lists and zsets in order). */
  readonly digest: string;
  /** Unix milliseconds, or -1 where the key does not expire. */
  readonly expiresAtMs: number;
}

/** How the database of a set was backed up: `method` says which, and by which it is restored. */
export type DatabaseBackup = PostgresFacts | DumpFacts | MongoFacts;

/** A physical backup in pgBackRest's own repository. */
export interface PostgresFacts {
  readonly method: 'pgbackrest';
  readonly version: string;
  readonly majorVersion: number;
  readonly systemIdentifier: string;
  /** The folder of the site's generation below the root of the pgBackRest repositories: `primary-1`. */
  readonly generation: string;
  readonly stanza: string;
  readonly label: string;
  readonly type: 'full' | 'incr';
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  /** The named restore point at which exact counts hold, and its LSN. */
  readonly restorePoint: string;
  readonly restorePointLsn: string;
  /** When the restore point was set. Absent in sets of earlier versions. */
  readonly takenAt?: string;
  /** First and last WAL segment that recovery to the restore point needs. */
  readonly walStart: string;
  readonly walStop: string;
  /** Absent in sets of the first version: 16 MiB. */
  readonly walSegmentBytes?: number;
  readonly databaseBytes: number;
}

/** A logical backup with pg_dump, in the objects `dump-control` and `dump-analytics`. */
export interface DumpFacts {
  readonly method: 'dump';
  readonly version: string;
  readonly majorVersion: number;
  /** The moment of the one snapshot that all of it is of, by the server's clock. There is no other point to go to. */
  readonly takenAt: string;
  readonly encoding: string;
  /** Of the locale: the C library or ICU. */
  readonly provider: 'c' | 'i';
  readonly collate: string;
  readonly ctype: string;
  readonly icuLocale?: string;
  readonly owner: string;
  /** Owners and grantees, which a dump names and does not bring along. */
  readonly roles: readonly string[];
  /** Those whose rows are in `dump-analytics`, quoted for SQL. */
  readonly analyticsTables: readonly string[];
  readonly databaseBytes: number;
  /** Counted in that very snapshot. */
  readonly counted: DatabaseFacts;
}

/** What restoring the set into a scratch instance showed. Signed apart from the manifest. */
export interface Attestation {
  readonly format: 'tyk-dr/attestation/v1';
  readonly set: string;
  readonly manifestSha256: string;
  readonly verifiedAt: string;
  /** The off-site copy from which alone it was restored; absent where it was the repository. */
  readonly copy?: string;
  readonly redis?: { readonly keys: number; readonly expires: number; readonly samplesEqual: number };
  readonly database?: DatabaseFacts;
  /** How long the proof took. */
  readonly durationMs?: number;
  readonly relations?: RelationFacts;
  /** What a Dashboard and a Gateway on the restored stores showed; absent where none is configured for proofs. */
  readonly services?: ServiceFacts;
}

/** Whether what keys and policies name is in the database of the same set. */
export interface RelationFacts {
  /** Sessions of keys, and the APIs and policies that they may name. */
  readonly keys: number;
  readonly apis: number;
  readonly policies: number;
  /** That name an API or a policy that is not there. */
  readonly danglingKeys: number;
  readonly danglingPolicies: number;
  readonly unreadableKeys: number;
  /** By id, the keys and policies that name it; the ten that most do. */
  readonly missingApis: Readonly<Record<string, number>>;
  readonly missingPolicies: Readonly<Record<string, number>>;
}

export interface ServiceFacts {
  /** APIs that the Dashboard listed, and that the Gateway had loaded from it. */
  readonly dashboardApis?: number;
  readonly gatewayApis?: number;
  /** The one request that the Gateway served: its path and the status of the answer. */
  readonly request?: string;
}

/** Measured at exactly the set's point: in a database recovered to it, or in the snapshot that was dumped. */
export interface DatabaseFacts {
  /** Exact row counts by `schema.table`. */
  readonly rows: Readonly<Record<string, number>>;
  /** SHA-256 over the ordered definitions of tables, columns, indexes and constraints. */
  readonly schemaDigest: string;
  /** Where a physical backup was recovered to. */
  readonly recoveredLsn?: string;
  readonly timeline?: number;
}
