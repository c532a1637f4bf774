import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { rpoOf } from './objectives.ts';
import { arithmeticText, rpoArithmetic, type Arithmetic, type RpoInput } from './rpo.ts';
import { SCHEDULE_KINDS, withWatch } from './schedules.ts';

/** Schedules that cannot keep what the objectives promise are refused, with the sum. */

export function schedulesAreSound(deployment: Deployment): ConfigProblem[] {
  const { schedules, keep } = deployment.backup;
  if (!schedules) return [];
  const path = ['backup', 'schedules'];
  const vague = SCHEDULE_KINDS.filter((kind) => {
    const schedule = schedules[kind];
    return schedule && (schedule.every === undefined) === (schedule.cron === undefined);
  }).map((kind) => ({ path: [...path, kind], message: 'expected either every or cron' }));
  if (vague.length > 0) return vague;
  const short = SCHEDULE_KINDS.filter((kind) => (schedules[kind]?.every ?? SHORTEST_MS) < SHORTEST_MS);
  return [
    ...short.map((kind) => ({ path: [...path, kind, 'every'], message: 'expected at least 10s' })),
    ...refusedForRedis(deployment).map((problem) => ({ ...problem, path: [...path, ...problem.path] })),
    ...(schedules.retention && !keep
      ? [
          {
            path: [...path, 'retention'],
            message: 'expected rules under backup.keep: without any, nothing is deleted',
          },
        ]
      : []),
    ...rpoSums(deployment, {})
      .filter(({ fits }) => !fits)
      .map((sum) => ({ path, message: `the RPO cannot be met: ${arithmeticText(sum)}` })),
  ];
}

/** What would fail at every single run. */
function refusedForRedis({ backup, sites }: Deployment): ConfigProblem[] {
  const { redis: snapshots, redisAof } = backup.schedules ?? {};
  const all = Object.entries(sites).flatMap(([site, { redis }]) => (redis ? [{ site, redis }] : []));
  if (snapshots && all.length === 0)
    return [{ path: ['redis'], message: 'expected a deployment that has a Redis' }];
  if (!redisAof) return [];
  if (all.length === 0) return [{ path: ['redisAof'], message: 'expected a deployment that has a Redis' }];
  return all
    .filter(({ redis }) => redis.method === 'commands')
    .slice(0, 1)
    .map(({ site }) => ({
      path: ['redisAof'],
      message: `the log cannot be read where redis.method is commands (site ${site}); expected method: files, or the schedule redis instead`,
    }));
}

/** Temporal looks at its schedules about once a second; a backup takes longer than that. */
const SHORTEST_MS = 10_000;

/** The sums of a deployment; what was not measured is assumed, and said to be. */
export function rpoSums(
  deployment: Deployment,
  measured: Pick<RpoInput, 'takesMs' | 'snapshotTakesMs' | 'archiveTimeoutMs' | 'shipsMs'>,
): Arithmetic[] {
  const sites = Object.values(deployment.sites);
  const archives = sites.some(({ database }) => database?.method === 'pgbackrest');
  return rpoArithmetic({
    schedules: withWatch(deployment.backup.schedules),
    rpoMs: rpoOf(deployment),
    redis: sites.some((site) => site.redis),
    database: archives ? 'wal' : sites.some((site) => site.database) ? 'dump' : undefined,
    offSite: deployment.backup.copies.length > 0,
    ...measured,
  });
}
