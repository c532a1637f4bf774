import type { Deployment } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { TIER_DEFAULTS } from './objectives.ts';
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

/** Temporal looks at its schedules about once a second; a backup takes longer than that. */
const SHORTEST_MS = 10_000;

/** The sums of a deployment; what was not measured is assumed, and said to be. */
export function rpoSums(
  deployment: Deployment,
  measured: Pick<RpoInput, 'takesMs' | 'archiveTimeoutMs' | 'shipsMs'>,
): Arithmetic[] {
  const sites = Object.values(deployment.sites);
  const archives = sites.some(({ database }) => database?.method === 'pgbackrest');
  return rpoArithmetic({
    schedules: withWatch(deployment.backup.schedules),
    rpoMs: deployment.objectives.rpo ?? TIER_DEFAULTS[deployment.tier].rpoMs,
    redis: sites.some((site) => site.redis),
    database: archives ? 'wal' : sites.some((site) => site.database) ? 'dump' : undefined,
    offSite: deployment.backup.copies.length > 0,
    ...measured,
  });
}
