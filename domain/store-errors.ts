import { failed, refused, transient, type ErrorEntry } from './error-kinds.ts';

/** The part of the error table (see there) that is about Redis and the database. */

export const STORE_ERRORS = {
  VALUE_TOO_LARGE: refused(
    (d) =>
      `a value in Redis takes ${d.bytes} bytes; by commands none can be put back that is larger than ${d.limit}`,
    'Use redis.method: files, which has no such limit, or find out with redis-cli --memkeys what wrote it.',
  ),
  SET_OF_ANOTHER_METHOD: refused(
    (d) =>
      `the database of backup set ${d.set} was backed up by ${d.actual}; site ${d.site} is configured for ${d.expected}`,
    'Choose a set of the configured method (tyk-dr backup list), or set database.method of the site to that of the set.',
  ),
  POSTGRES_VERSION: refused(
    (d) => `PostgreSQL ${d.actual} on the target cannot start a backup of PostgreSQL ${d.expected}`,
    'Install the major version of the backup.',
  ),
  POSTGRES_TOO_OLD: refused(
    (d) => `${d.what} is PostgreSQL ${d.actual}; the dump is of PostgreSQL ${d.expected}`,
    'A dump goes into its own or a newer major version. Install one; binDir of the site names its programs.',
  ),
  ARCHIVES_ELSEWHERE: refused(
    (d) =>
      `PostgreSQL on port ${d.port} does not archive into its repository: ${d.reason}; postgresql.conf needs\n${d.lines}`,
    'Put the two lines into postgresql.conf and restart PostgreSQL (where archive_mode was on already, a reload is enough), then back up again. The repository is ready for it.',
  ),
  TABLESPACE_UNSUPPORTED: refused(
    (d) => `the cluster keeps data outside its data directory, in the tablespaces ${d.names}`,
    'A restore beside the old data cannot hold them. Move their tables to pg_default and drop them.',
  ),
  REDIS_TOO_OLD: refused(
    (d) => `Redis ${d.actual} ${d.where} cannot load an RDB of version ${d.rdbVersion} (Redis ${d.expected})`,
    'Install at least the version that the backup was made with.',
  ),
  REDIS_DENIED: refused(
    (d) => `user ${d.user} may not run ${d.command} on Redis at ${d.address}: ${d.reason}`,
    'Grant the command and the keys to the user in the ACL of Redis; docs/redis.md lists what each part needs.',
  ),
  REDIS_REFUSES: transient(
    (d) => `Redis at ${d.address} answers ${d.command} with an error: ${d.reason}`,
    'OOM means that its maxmemory is too small for the data; MOVED, READONLY and CLUSTERDOWN that its nodes are changing places. Mend it and retry.',
  ),
  REDIS_NOT_EMPTY: refused(
    (d) => `Redis at ${d.address} holds ${d.keys} keys that no run of ours put there`,
    'A restore by commands goes into an empty Redis, so that nothing is overwritten by mistake. Empty its database yourself, or rebuild the site in place.',
  ),
  REDIS_CLUSTER_UNSOUND: refused(
    (d) => `the Redis Cluster of ${d.address} cannot be used as a whole: ${d.reason}`,
    'Each slot needs a master that answers, and none may be on its way to another. Mend it (redis-cli --cluster check), then begin again.',
  ),
  REDIS_SENTINEL: refused(
    (d) => `no Sentinel of ${d.nodes} tells the master '${d.name}': ${d.reason}`,
    'Check the name, the addresses and the password of the Sentinels.',
  ),
  WAL_DAMAGED: failed(
    (d) => `WAL ended at ${d.reachedLsn}, before ${d.expectedLsn}: ${d.reason}`,
    'Recovering further would lose committed data silently. Choose an earlier time with --to-time, or repair the archive and retry.',
  ),
  WAL_MISSING: failed(
    (d) => `WAL segment ${d.segment} is not in the archive`,
    'Bring the segment back from a copy of the repository and retry.',
  ),
  DATA_UNPROVEN: failed(
    (d) => `${d.what}: expected ${d.expected}, found ${d.actual}`,
    'The restored data differ from the backup. The old data are untouched. Choose another set.',
  ),
  OPLOG_UNSUPPORTED: refused(
    (d) => `the oplog of MongoDB cannot be replayed: it has ${d.what}, ${d.at}`,
    'Changes of documents, new collections and new indexes are replayed; dropped, renamed and changed collections are not. Nothing was changed. Make another set, when nobody changes the schema; or choose one.',
  ),
  OPLOG_LOST: failed(
    (d) => `the oplog of MongoDB does not reach back to the beginning of the dump: ${d.reason}`,
    'It is too small for what is written while a dump is taken. Make it larger (replSetResizeOplog), then back up again.',
  ),
  STORE_UNREACHABLE: transient(
    (d) => `${d.store} at ${d.address} does not answer: ${d.reason}`,
    'Check that the service runs and that its password is the one configured.',
  ),
} as const satisfies Record<string, ErrorEntry>;
