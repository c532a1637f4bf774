import { planDigest } from '../../adapters/config/digest.ts';
import type { Ready } from '../../cli/fleet-start.ts';
import { TIER_DEFAULTS, TIERS } from '../../domain/objectives.ts';
import { runIdOf } from '../../domain/run-id.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import type { DeploymentShape } from '../../runbooks/shape.ts';
import { wholeMsOf } from './durations.ts';

/** The deployments of the simulated fleet: whole ones, of all tiers, spread over workers and repositories. */

const DIGITS = 5;

export const indexOf = (deployment: string): number => Number(deployment.slice(-DIGITS));

export const workerNames = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `w${index + 1}`);

/** @param basisAt from when every RTO counts */
export function simulatedFleet(
  count: number,
  workers: readonly string[],
  wholeMs: number,
  basisAt: string,
): Ready[] {
  return Array.from({ length: count }, (_, index): Ready => {
    const worker = workers[index % workers.length]!;
    const shape = shapeOf(`d${String(index).padStart(DIGITS, '0')}`, index, worker);
    const plan = compilePlan(shape, {
      ...{
        from: 'primary',
        to: 'dr',
        backup: 'latest',
        scenario: 'regional',
        inPlace: false,
        onFailure: 'ask',
      },
    });
    const { deployment, tier, priority, objectives, to } = plan;
    const run = runIdOf('rec', basisAt, index.toString(16).padStart(4, '0'));
    return {
      input: {
        ...{ run, plan, planDigest: planDigest(plan), configDigest: 'c'.repeat(64) },
        ...{ actor: 'bench', reason: 'a simulated disaster', declaredAt: basisAt },
      },
      asking: {
        ...{ deployment, run, tier, priority, to, basisAt, rtoMs: objectives.rtoMs },
        ...{ workers: [worker], repository: `r${index % workers.length}` },
        expectedMs: wholeMsOf(index, wholeMs),
      },
    };
  });
}

function shapeOf(deployment: string, index: number, worker: string): DeploymentShape {
  // One in ten is critical, three important, four standard, two for development.
  const tier = TIERS[[0, 1, 1, 1, 2, 2, 2, 2, 3, 3][(index * 7) % 10]!]!;
  const { rtoMs, rpoMs } = TIER_DEFAULTS[tier];
  const site = { worker, gatewayWorkers: [worker], provisions: false };
  return {
    ...{ deployment, tier, objectives: { rtoMs, rpoMs }, slos: { availabilityPercent: 99, p95Ms: 250 } },
    ...{ hasDashboard: true, hasDatabase: true, hasDatabaseLog: true, hasRedis: true, hasPump: true },
    ...{ hasTraffic: true, hasAnalyticsProbe: true, hasWitness: false },
    sites: { primary: site, dr: site },
  };
}
