import type { Deployment, MongoConfig, RedisConfig } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { sameHost } from './same-host.ts';
import { replicates } from './strategy.ts';

/** Whether the strategy of a deployment can be had with the stores that its sites have. */
export function replicationIsSound(deployment: Deployment): ConfigProblem[] {
  const { strategy, replication, sites } = deployment;
  if (!replicates(strategy)) return replication ? [unused(strategy)] : [];
  const names = Object.keys(sites);
  return [
    ...(names.length < 2
      ? [{ path: ['strategy'], message: `${strategy} needs a second site; expected one under sites` }]
      : []),
    ...(replication === undefined
      ? [{ path: ['replication'], message: `missing; expected one, as the strategy is ${strategy}` }]
      : []),
    ...names.flatMap((name) => siteCan(deployment, name)),
    ...sentinelsAreShared(deployment),
  ];
}

const unused = (strategy: string): ConfigProblem => ({
  path: ['replication'],
  message: `the strategy is ${strategy}, which replicates nothing; expected pilot-light, warm-standby or hot`,
});

function siteCan(deployment: Deployment, name: string): ConfigProblem[] {
  const { strategy, replication, sites } = deployment;
  const { redis, database } = sites[name]!;
  const at = (path: string[], message: string): ConfigProblem => ({
    path: ['sites', name, ...path],
    message,
  });
  return [
    ...(database?.kind === 'mongodb' && name !== deployment.drill?.site
      ? memberCan(deployment, name, database).map(([field, message]) => at(['database', field], message))
      : []),
    ...(database?.kind === 'postgresql' && database.method !== 'pgbackrest'
      ? [
          at(
            ['database', 'method'],
            `${database.method} with ${strategy}; expected pgbackrest: a standby is made of files`,
          ),
        ]
      : []),
    ...(database?.kind === 'postgresql' && replication && !replication.database
      ? [at(['database'], 'replication.database is missing; expected one, with a password')]
      : []),
    ...(redis && (redis.cluster || redis.method !== 'files')
      ? [at(['redis'], `${strategy} needs a Redis of method files without Cluster; expected such a one`)]
      : []),
  ];
}

/** Those who choose the master must be the same for all who may become it; a rehearsal must not be one of them. */
function sentinelsAreShared({ sites, drill }: Deployment): ConfigProblem[] {
  const [[first, wanted] = ['', ''], ...others] = Object.entries(sites)
    .filter(([name, { redis }]) => redis !== undefined && name !== drill?.site)
    .map(([name, { redis }]) => [name, sentinelsOf(redis!)] as const);
  const own = drill?.site === undefined ? undefined : sites[drill.site]?.redis?.sentinel;
  return [
    ...others
      .filter(([, found]) => found !== wanted)
      .map(([name, found]) => ({
        path: ['sites', name, 'redis', 'sentinel'],
        message: `${found}; site ${first} has ${wanted}; expected the same Sentinels on every site`,
      })),
    ...(own
      ? [
          {
            path: ['sites', drill!.site!, 'redis', 'sentinel'],
            message: `${own.name}; expected none on the site of drills, whose Redis must never become the master`,
          },
        ]
      : []),
  ];
}

/** The servers of the sites are members of one replica set, each its site's own, that we start and stop. */
function memberCan(
  { strategy, replication, sites, drill }: Deployment,
  name: string,
  { host, port, replicaSet, name: database, service, dataDir }: MongoConfig,
): [field: string, message: string][] {
  const why = `${strategy} needs the servers of both sites as members of one replica set`;
  const found: [string, string][] = [];
  const missing = (field: string, value: unknown, what: string): void => {
    if (value === undefined) found.push([field, `missing; expected ${what}: ${why}`]);
  };
  missing('replicaSet', replicaSet, 'the name of the replica set');
  missing('service', service, 'how this member is started and stopped');
  missing('dataDir', dataDir, "this member's own, so that old data can be laid aside");
  if (replication?.database?.mode === 'synchronous')
    found.push([
      'kind',
      'mongodb with replication.database.mode synchronous; expected asynchronous: whom a write waits for is its write concern',
    ]);
  for (const [other, site] of Object.entries(sites)) {
    if (other === name || other === drill?.site || site.database === undefined) continue;
    if (site.database.kind !== 'mongodb') {
      found.push(['kind', `mongodb, and site ${other} has ${site.database.kind}; expected the same on both`]);
      continue;
    }
    const theirs = site.database;
    if (replicaSet !== undefined && theirs.replicaSet !== undefined && replicaSet !== theirs.replicaSet)
      found.push(['replicaSet', `${replicaSet}, and site ${other} has ${theirs.replicaSet}; ${why}`]);
    if (theirs.name !== database)
      found.push(['name', `${database}, and site ${other} has ${theirs.name}; expected the same on both`]);
    if (theirs.host === host && theirs.port === port)
      found.push(['host', `${host}:${port} is the member of site ${other}; expected this site's own`]);
    if ((sameHost(host) === 'this host') !== (sameHost(theirs.host) === 'this host'))
      found.push([
        'host',
        `${host}, and site ${other} has ${theirs.host}; expected names that every member can reach, or a loopback address on both`,
      ]);
  }
  return found;
}

function sentinelsOf({ sentinel }: RedisConfig): string {
  return sentinel ? `'${sentinel.name}' of ${[...sentinel.nodes].sort().join(', ')}` : 'none';
}
