import type { DatabaseConfig, Deployment, RedisConfig, Site } from '../domain/config.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import { nameOfTraffic, ownOf } from '../domain/traffic.ts';

/**
 * What each step of a plan changes, in the words of the configuration at hand: folders, servers, services. For
 * people who are about to agree to it.
 *
 * @returns sentences by the id of the step; a step that only reads is absent
 */
export function overwritesOf(plan: RecoverPlan, deployment: Deployment): Record<string, readonly string[]> {
  const target = deployment.sites[plan.to]!;
  const { traffic, backup } = deployment;
  const isMongo = target.database?.kind === 'mongodb';
  const every: Readonly<Record<string, readonly string[]>> = {
    'provision-target': provisioned(target),
    'fence-source': [
      `stops every service of ${plan.from}, and keeps them from starting until tyk-dr unfence`,
      ...(deployment.sites[plan.from]?.fence.command
        ? ['runs its fence command where that is not enough']
        : []),
    ],
    'hold-traffic': traffic ? [`takes ${ownNames(traffic, plan.to)} out of ${nameOfTraffic(traffic)}`] : [],
    'claim-target': [
      `stops what is to be replaced on ${plan.to}; ${target.stateDir} takes the epoch of the run`,
    ],
    'place-server-config': [
      plan.inPlace
        ? 'brings back a server’s own configuration file where it is missing; else lays ours beside it'
        : 'lays the servers’ configuration files beside those of the target',
    ],
    'restore-redis-data': target.redis ? [redisPlace(target.redis)] : [],
    'start-redis': target.redis ? ['starts Redis; removes analytics that the Pump had already taken'] : [],
    'restore-database-data': target.database ? [databasePlace(target.database)] : [],
    'start-database': target.database ? ['starts the database; it accepts writes'] : [],
    'restore-dashboard-config': entries(target.dashboard),
    'start-dashboard': ['starts the Dashboard'],
    'restore-gateway-config': target.gateways.flatMap(entries),
    'start-gateways': [`starts ${target.gateways.map(({ name }) => name).join(', ')}`],
    'start-pump': [...entries(target.pump), 'starts the Pump'],
    'switch-traffic': traffic
      ? [
          `sends clients of ${traffic.url} to ${ownNames(traffic, plan.to)}, and to no other`,
          ...(traffic.steps.length > 1
            ? [`by shares of ${traffic.steps.join(', ')} % where the other site still serves`]
            : []),
        ]
      : [],
    'open-replication': [
      isMongo
        ? `makes MongoDB of ${plan.to} a member of the replica set, without a vote`
        : `makes the role and the slot of ${plan.to} at ${plan.from}, and limits what slots may hold`,
    ],
    'claim-standby': [`stops what runs on ${plan.to}; ${target.stateDir} takes the epoch of the run`],
    'copy-database': target.database ? [copyPlace(target.database)] : [],
    'clear-redis': target.redis ? [redisPlace(target.redis)] : [],
    'restore-pump-config': entries(target.pump),
    'stop-writes': [
      isMongo
        ? `stops the Dashboard and the Pump of ${plan.from}; its MongoDB steps down and that of ${plan.to} is elected, its Redis holds writes`
        : `stops the Dashboard of ${plan.from}; its database is read-only and its Redis holds writes`,
    ],
    'take-command': [`${plan.to} is no standby from here on: the point of no return`],
    'promote-redis': ['makes Redis the master, and keeps that in its configuration file'],
    'promote-database': [
      isMongo
        ? 'waits for MongoDB to be elected; where no majority is left, forces a configuration of the members that are'
        : 'promotes PostgreSQL, into a repository of its own',
    ],
    'retire-source': [`stops every service of ${plan.from}`],
    'protect-database': ['makes a backup in a repository of its own, beside that of the old site'],
    'prove-dashboard-edit': ['edits one API through the Dashboard and puts it back'],
    'prove-security': ['makes two keys that live for minutes, and deletes them'],
    'discard-old-data': ['removes the replaced data for good: after it there is no undo'],
    'write-record': [`writes the record of the run into ${backup.repository}`],
  };
  return Object.fromEntries(plan.steps.flatMap((id) => (every[id]?.length ? [[id, every[id]]] : [])));
}

/** What a recovery in place replaces, for the question before it. */
export function replacedPlaces(site: Site, only: RecoverPlan['component']): string[] {
  const places: [string, string | undefined][] = [
    ['redis', site.redis && (site.redis.method === 'commands' ? keysOf(site.redis) : site.redis.dataDir)],
    ['database', site.database && placeOf(site.database)],
    ['dashboard', site.dashboard?.root],
    ...site.gateways.map(({ root }): [string, string] => ['gateway', root]),
    ['pump', site.pump?.root],
  ];
  return places.flatMap(([component, place]) =>
    place === undefined || (only !== undefined && component !== only) ? [] : [place],
  );
}

function redisPlace(redis: RedisConfig): string {
  return redis.method === 'commands'
    ? `replaces ${keysOf(redis)}`
    : `replaces ${redis.dataDir}; what is there is kept beside it until the close-out`;
}

function databasePlace(database: DatabaseConfig): string {
  return `replaces ${placeOf(database)}; what is there is kept beside it until the close-out`;
}

/** A standby is made of files, whatever the backups are. */
function copyPlace(database: DatabaseConfig): string {
  return database.kind === 'mongodb'
    ? `lays ${database.dataDir} aside, where it holds data of another replica set; else the server winds it back`
    : databasePlace(database);
}

function placeOf(database: DatabaseConfig): string | undefined {
  if (database.method !== 'dump' && database.method !== 'mongodump') return database.dataDir;
  return `database ${database.name} at ${database.host}:${database.port}`;
}

function keysOf({ host, port, sentinel, cluster }: RedisConfig): string {
  return `every key in Redis at ${(sentinel ?? cluster)?.nodes.join(', ') ?? `${host}:${port}`}; they are not kept`;
}

function entries(
  tree: { readonly root: string; readonly config: string; readonly include: readonly string[] } | undefined,
): string[] {
  if (!tree) return [];
  return [
    `replaces in ${tree.root}: ${[tree.config, ...tree.include].join(', ')}; the old ones are kept beside`,
  ];
}

function provisioned(site: Site): string[] {
  const installs = [site.redis, site.database, site.dashboard, ...site.gateways, site.pump].some(
    (component) => component?.install !== undefined,
  );
  return [
    ...(site.provision ? ['runs the provision command of the site'] : []),
    ...(installs ? ['runs the install commands of components that are missing'] : []),
  ];
}

function ownNames(traffic: NonNullable<Deployment['traffic']>, site: string): string {
  return ownOf(traffic, site).join(', ') || `the servers of ${site}`;
}
