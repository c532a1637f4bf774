import { failed, refused, transient, type ErrorEntry } from './error-kinds.ts';

/** The part of the error table (see there) that is about standbys and failovers. */

export const REPLICATION_ERRORS = {
  NOT_REPLICATED: refused(
    (d) => `${d.deployment} has the strategy ${d.strategy}: no site of it follows another`,
    'Set strategy and replication in tyk-dr.yaml, then make the standby with tyk-dr replicate; or bring the site back from a backup with tyk-dr recover.',
  ),
  SOURCE_UNFIT: refused(
    (d) => `no standby can follow ${d.store} of ${d.site}: ${d.reason}`,
    'Change the setting on the server (a restart may be needed), then begin again. Nothing was changed.',
  ),
  STANDBY_IS_ANOTHER: refused(
    (d) => `${d.site} is no standby that could be made or failed over to: ${d.reason}`,
    'Look which site serves with tyk-dr status. Where a failover was lost on its way, --forced goes on from there. Nothing was changed.',
  ),
  STANDBY_BROKEN: failed(
    (d) => `${d.site} cannot take over as it is: ${d.reason}`,
    'Mend it and retry; or go the next way (tyk-dr divert while the run waits, else tyk-dr recover). Nothing was changed.',
  ),
  REPLICA_NOT_LEVEL: transient(
    (d) => `${d.store} at ${d.address} is not level with its source: ${d.reason}`,
    'Look at the log of the store and at the network between the sites, then retry. Nothing was lost: the source serves as before.',
  ),
  LEVEL_NOT_REACHED: failed(
    (d) => `${d.store} of ${d.site} did not reach the end of its source within ${d.limit}: ${d.reason}`,
    'The source is written to again: no client waits for a person. Look at the network between the sites and at the log of the store, and begin again once tyk-dr backup status shows it level. Nothing was lost.',
  ),
  LAG_UNKNOWN: refused(
    (d) => `how far ${d.store} of ${d.site} is behind is not known: ${d.reason}`,
    'Decide: fail over with a loss that nobody knows beforehand (tyk-dr confirm while the run waits, else --accept-loss), or recover from a backup (tyk-dr divert, else tyk-dr recover).',
  ),
  LAG_TOO_LARGE: refused(
    (d) => `${d.store} of ${d.site} is ${d.lag} behind; expected at most ${d.limit}`,
    'Decide: fail over and lose that (tyk-dr confirm while the run waits, else --accept-loss), or recover from a backup where that loses less (tyk-dr divert, else tyk-dr recover).',
  ),
  DIVERTED: failed(
    (d) => `given up by ${d.actor} for another way, ${d.run}: ${d.reason}`,
    'What the run had touched of the target is stopped. The other way goes on by itself, under the same lock.',
    (d) => `tyk-dr status ${d.run}`,
  ),
  FENCE_STAYS: failed(
    (d) => `${d.site} stays fenced: ${d.reason}`,
    'Its data are whole. Lift the fence by hand once you know that no other site writes: tyk-dr unfence, then start its services.',
  ),
  PROMOTION_FAILED: failed(
    (d) => `${d.store} of ${d.site} did not become the one that is written to: ${d.reason}`,
    'Retry; or go the next way (tyk-dr divert while the run waits, else tyk-dr recover). The old site stays fenced.',
  ),
  MONGO_DENIED: refused(
    (d) => `user ${d.user} may not run ${d.command} on MongoDB at ${d.address}: ${d.reason}`,
    'Give the user the roles clusterManager on admin and read on local, besides those for backups; docs/mongodb.md lists them. Nothing was changed.',
  ),
  REPLICA_SET_REFUSES: transient(
    (d) => `MongoDB at ${d.address} refuses ${d.command}: ${d.reason}`,
    'Look at rs.status() and rs.conf() on that member: a majority of the voting members must be reachable, and nobody else may be changing the set. Then retry.',
  ),
  SENTINEL_NAMES_ANOTHER: refused(
    (d) =>
      `the Sentinels of ${d.name} say that the master is ${d.actual}; expected ${d.expected}, the Redis of ${d.site}`,
    'They decide which server is the master, and are not overruled. See why they chose it (SENTINEL MASTER, SENTINEL REPLICAS, their log); have them choose the other one (SENTINEL FAILOVER), then retry. host and port of each site must be those that the Sentinels know.',
  ),
  SENTINEL_CANNOT_CHOOSE: refused(
    (d) => `the Sentinels of ${d.name} would not make the Redis of ${d.site} the master: ${d.reason}`,
    'Give it the least replica-priority of all replicas, and see that the Sentinels reach it (SENTINEL REPLICAS), then retry.',
  ),
  SENTINEL_NO_MAJORITY: refused(
    (d) => `the Sentinels of ${d.name} are too few to agree on a master: ${d.reason}`,
    'Start those that are missing, then retry. Where they are lost with their site, give the order yourself to one that is left, which needs nobody else for it: redis-cli -p 26379 SENTINEL FAILOVER NAME; then retry: what the Sentinels have done is adopted.',
  ),
  SENTINEL_IN_THE_WAY: refused(
    (d) =>
      `the Sentinels of ${d.name} would take the Redis of ${d.site} from what is restored there: ${d.reason}`,
    'A set that is put in must not be replaced by what a server holds that they promote meanwhile. Mend what is named, then begin again.',
  ),
} as const satisfies Record<string, ErrorEntry>;
