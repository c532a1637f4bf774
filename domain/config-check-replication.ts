import type { Deployment } from './config.ts';
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
    ...(redis && (redis.sentinel || redis.cluster || redis.method !== 'files')
      ? [
          at(
            ['redis'],
            `${strategy} needs a Redis of method files without Sentinel or Cluster; expected such a one`,
          ),
        ]
      : []),
  ];
}
