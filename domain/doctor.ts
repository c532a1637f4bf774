import type { HostFigures } from './figures.ts';

/** What `tyk-dr doctor` looks at, and what it found: everything that a recovery will need, checked now. Plain JSON. */

export type Severity = 'error' | 'warning' | 'ok';

export interface Finding {
  readonly id: CheckId;
  readonly severity: Severity;
  /** Whose: a site, or a site's worker, or `deployment`. */
  readonly where: string;
  readonly message: string;
  /** What to do; none where all is well. */
  readonly hint?: string;
}

/** Every check, with the hint that goes with what it finds wrong. The page `docs/generated/doctor.md` comes from here. */
export const CHECKS = {
  worker: {
    what: 'Every worker answers, has this configuration and the right time.',
    hint: 'Start it on its host with tyk-dr worker NAME and the same tyk-dr.yaml, and keep it running.',
  },
  builds: {
    what: 'Every worker and this command run the same build.',
    hint: 'Bring the same build to every host, and start its worker again; no recovery may be under way.',
  },
  serving: {
    what: 'Exactly one site runs its stores, and no other is fenced.',
    hint: 'Where no site serves, recover one. Two that write must never be: stop the wrong one. A site that was given up comes back with tyk-dr unfence.',
  },
  tools: {
    what: 'The programs that the host needs are installed, and can read the newest set.',
    hint: "Install the package that provides it; a store needs the backup's major version or, for Redis, a newer one.",
  },
  secrets: {
    what: 'Every secret that the host needs can be read.',
    hint: "Bring it to where the reference points, readable for the worker's user only.",
  },
  'key-files': {
    what: 'Key files are readable to their owner only.',
    hint: 'chmod 600 the file.',
  },
  'key-copies': {
    what: 'The keys that open backups are not only at the site that they protect.',
    hint: 'Copy the key to a worker of another site, outside the folders that the site would lose.',
  },
  keys: {
    what: 'The age identity is one of the recipients, and the signing key one of the trusted keys.',
    hint: 'Correct recipients and trustedKeys, or the references: what is written now could not be read.',
  },
  decryption: {
    what: 'The configured identity opens an object of the newest set.',
    hint: 'Use the identity of one of the recipients; look at the set with tyk-dr backup verify.',
  },
  repository: {
    what: 'The repository can be read and, where backups are made, written; every set in it is whole and ours.',
    hint: 'Mount it, or let the user of the worker into it. A set that is altered is evidence: keep it and find out who did it.',
  },
  runbook: {
    what: 'The exported runbook, for a lost Temporal, is there, whole, signed, and of this configuration.',
    hint: 'tyk-dr export DEPLOYMENT writes it, as every backup does; see docs/without-temporal.md.',
  },
  space: {
    what: 'There is room for the next set, and at each site to restore beside the old data.',
    hint: 'Free space or enlarge the disk.',
  },
  freshness: {
    what: 'What would be lost now, against the RPO.',
    hint: 'Look at tyk-dr backup status; back up now with tyk-dr backup, and see why the schedule did not.',
  },
  permissions: {
    what: 'The worker may write where a restore puts its data.',
    hint: 'Run the worker as root or as the owner of the data; put a data directory one level below a mount point.',
  },
  'secret-set': {
    what: 'secret, node_secret, hash_keys and the certificate secret are one set over all components and workers.',
    hint: 'Give Dashboard and Gateways the same values, and tyk-dr.yaml with them: keys and certificates are unreadable with others.',
  },
  stores: {
    what: 'The stores and programs that serve take the configured passwords and keys.',
    hint: 'Correct the reference in tyk-dr.yaml, or the password.',
  },
  'redis-settings': {
    what: 'The live Redis saves, syncs and evicts as the RPO needs it.',
    hint: 'Change the setting in redis.conf and with CONFIG SET.',
  },
  oplog: {
    what: 'MongoDB keeps an oplog that can be read, so that all collections of a set are of one moment.',
    hint: 'Make the server a replica set (one of a single member will do), and give the user the role read on local.',
  },
  archiving: {
    what: 'PostgreSQL archives its WAL into its repository, without failures.',
    hint: "Put tyk-dr's archive_command into postgresql.conf, and read the log of PostgreSQL for failures.",
  },
  checksums: {
    what: 'PostgreSQL has data checksums and the extension amcheck.',
    hint: 'Stop PostgreSQL and run pg_checksums --enable; amcheck is in the contrib package of PostgreSQL.',
  },
  versions: {
    what: 'No site has older programs than the one that serves, or than the newest set.',
    hint: 'Upgrade the site before it is needed: older programs may not read newer definitions. Declare version: where it could not be found out.',
  },
  replication: {
    what: 'Where the strategy replicates: a standby follows the site that serves, closely enough; it can go on after a restart; what is kept for it fits the disk.',
    hint: 'tyk-dr replicate DEPLOYMENT --to SITE makes a site follow; docs/watching.md says what the figures mean.',
  },
  sentinels: {
    what: 'Sentinels above the Redis of a site that serves or follows are reached, would make the standby the master, and could agree on it with one site lost.',
    hint: 'docs/redis.md says how Sentinels and a standby go together.',
  },
  drift: {
    what: 'Configuration, files, certificates and versions of a standby are those of the site that it follows.',
    hint: 'tyk-dr replicate DEPLOYMENT --to SITE --files brings the files of the newest set; upgrade programs by hand.',
  },
  licence: {
    what: 'The licence of the Dashboard is valid.',
    hint: 'Ask Tyk for a new one and put it into tyk_analytics.conf.',
  },
  certificates: {
    what: 'Certificates are valid, today and for the next month.',
    hint: 'Renew the certificate.',
  },
  network: {
    what: 'Names resolve and routes exist between the components of each site.',
    hint: 'Check name, route and firewall between the two.',
  },
  traffic: {
    what: 'What leads the clients answers, knows the site and takes changes from us; clients do not keep an old record for long.',
    hint: 'Correct traffic: or what it names; docs/traffic.md says what each kind needs. A shorter ttl must be in force before the disaster.',
  },
  schedules: {
    what: 'The schedules in Temporal are those of the configuration.',
    hint: 'Run tyk-dr schedule apply.',
  },
  drills: {
    what: 'Drills are made when they are due by the calendar, and after a major change; enough people have practised each role.',
    hint: 'tyk-dr drill list DEPLOYMENT shows all of them; make the drill, or put it off with a reason: tyk-dr drill defer.',
  },
} as const satisfies Record<string, { what: string; hint: string }>;

export type CheckId = keyof typeof CHECKS;

export function wrong(id: CheckId, where: string, message: string, hint: string = CHECKS[id].hint): Finding {
  return { id, severity: 'error', where, message, hint };
}

export function doubtful(
  id: CheckId,
  where: string,
  message: string,
  hint: string = CHECKS[id].hint,
): Finding {
  return { id, severity: 'warning', where, message, hint };
}

export function fine(id: CheckId, where: string, message: string): Finding {
  return { id, severity: 'ok', where, message };
}

/** `dr: redis follows, 1.0 s behind`. */
export const findingText = ({ where, message }: Finding): string => `${where}: ${message}`;

/** Which host is to be examined. Names only: it travels through Temporal. */
export interface ExamineInput {
  readonly deployment: string;
  readonly site: string;
  /** Makes digests of secrets worthless for any other run. */
  readonly nonce: string;
}

/** What one worker found, and what only all together can judge. */
export interface HostReport {
  readonly site: string;
  readonly worker: string;
  readonly findings: readonly Finding[];
  /** Public part of the identity with which the fingerprints were keyed. */
  readonly recipient?: string;
  readonly fingerprints: readonly Fingerprint[];
  /** Keys that this host can read from a place that its site would not lose with its data. */
  readonly keys: readonly KeyName[];
  readonly versions: readonly InstalledVersion[];
  /** Where the strategy replicates; absent from workers of earlier versions. */
  readonly trees?: readonly TreePrint[];
  readonly newestSet?: { readonly set: string; readonly versions: Readonly<Record<string, string>> };
}

export const KEY_NAMES = ['identity', 'signingKey', 'passphrase'] as const;
export type KeyName = (typeof KEY_NAMES)[number];

/** Equal secrets have equal ones; nobody without the age identity can try out values against it. */
export interface Fingerprint {
  readonly field: string;
  /** `tyk-dr.yaml`, `gateway gw1`, ... */
  readonly place: string;
  readonly digest: string;
}

/** What the configuration of one component holds, as digests that are keyed as those of secrets are. */
export interface TreePrint {
  /** `dashboard`, `gateway gw1`, `pump`. */
  readonly name: string;
  readonly kind: 'dashboard' | 'gateway' | 'pump';
  /** Fields of its file without what each site has of its own; included files and folders. */
  readonly parts: readonly { readonly name: string; readonly digest: string }[];
  /** Those that it shows its clients. */
  readonly certificates: readonly {
    readonly subject: string;
    readonly sha256: string;
    readonly validTo: string;
  }[];
  /** Why it could not be read. */
  readonly problem?: string;
}

export interface InstalledVersion {
  /** `gateway gw1`, `dashboard`, ... */
  readonly name: string;
  readonly component: string;
  /** Undefined where it could not be found out. */
  readonly version?: string;
}

export interface DoctorInput {
  readonly deployment: string;
  readonly rpoMs: number;
  readonly hosts: readonly { readonly site: string; readonly worker: string }[];
}

export interface Examination {
  readonly reports: readonly HostReport[];
  readonly figures: readonly HostFigures[];
  /** Hosts that were asked and gave no answer. */
  readonly silent: readonly Finding[];
}
