import type { Deployment, RedisConfig } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
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

function siteCan({ strategy, replication, sites }: Deployment, name: string): ConfigProblem[] {
  const { redis, database } = sites[name]!;
  const at = (path: string[], message: string): ConfigProblem => ({
    path: ['sites', name, ...path],
    message,
  });
  return [
    ...(database?.kind === 'mongodb'
      ? [at(['database', 'kind'], `mongodb with ${strategy} is not supported; expected postgresql`)]
      : []),
    ...(database?.kind === 'postgresql' && database.method !== 'pgbackrest'
      ? [
          at(
            ['database', 'method'],
            `${database.method} with ${strategy}; expected pgbackrest: a standby is made of files`,
          ),
        ]
      : []),
    ...(database && replication && !replication.database
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

function sentinelsOf({ sentinel }: RedisConfig): string {
  return sentinel ? `'${sentinel.name}' of ${[...sentinel.nodes].sort().join(', ')}` : 'none';
}
