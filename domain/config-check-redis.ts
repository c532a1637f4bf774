import type { Deployment, RedisConfig } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { replicates, type Strategy } from './strategy.ts';

/** What fits together in `redis:`: each way of reaching it allows only some ways of saving it. */
export function redisIsSound(redis: RedisConfig | undefined, strategy: Strategy): ConfigProblem[] {
  if (!redis) return [];
  const problem = (field: string, message: string): ConfigProblem => ({ path: ['redis', field], message });
  const several = redis.sentinel ? 'Sentinel' : redis.cluster ? 'Cluster' : undefined;
  const problems: ConfigProblem[] = [];
  if (redis.sentinel && redis.cluster)
    problems.push(problem('cluster', 'beside sentinel; expected one of the two'));
  if (redis.cluster && redis.database !== 0)
    problems.push(problem('database', `${redis.database}; a Cluster has only database 0`));
  if (redis.tls && (redis.tls.cert === undefined) !== (redis.tls.key === undefined))
    problems.push(problem('tls', 'one of cert and key is missing; expected both or neither'));
  if (redis.method === 'commands') return problems;
  // Where each site has its own server, and the others follow, its folder is all that there is.
  const isOneOfThem = redis.sentinel !== undefined && replicates(strategy);
  if (several !== undefined && !isOneOfThem)
    return [
      ...problems,
      problem(
        'method',
        `files does not work with ${several}, where one data folder is not all of it or not the newest; expected method: commands`,
      ),
    ];
  for (const field of ['dataDir', 'service'] as const) {
    if (redis[field] !== undefined) continue;
    problems.push(
      problem(
        field,
        'missing; expected it for method files (a Redis without file access has method: commands)',
      ),
    );
  }
  return problems;
}

/** What is restored lies in the database where it was. */
export function redisDatabasesAreAlike({ sites }: Deployment): ConfigProblem[] {
  const [first, ...others] = Object.entries(sites);
  const wanted = first?.[1].redis?.database;
  return others.flatMap(([name, { redis }]) =>
    redis === undefined || wanted === undefined || redis.database === wanted
      ? []
      : [
          {
            path: ['sites', name, 'redis', 'database'],
            message: `${redis.database}; site ${first![0]} has ${wanted}; expected the same on every site`,
          },
        ],
  );
}
