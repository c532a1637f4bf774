import type { Deployment, Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { workersOfSites } from '../domain/site-workers.ts';

/**
 * Whether a worker may run a step at all, by its own configuration. Whoever can reach Temporal can put a task into any
 * queue: what this host is not declared to serve it does not touch.
 */

type Part = 'redis' | 'database' | 'dashboard' | 'gateways' | 'pump' | 'traffic';

/** The steps that concern one component; the others are for every worker of the deployment. */
export const PART_OF: Readonly<Record<string, Part>> = {
  'restore-redis-data': 'redis',
  'start-redis': 'redis',
  'prove-redis': 'redis',
  'restore-database-data': 'database',
  'start-database': 'database',
  'prove-database': 'database',
  'protect-database': 'database',
  'restore-dashboard-config': 'dashboard',
  'start-dashboard': 'dashboard',
  'prove-dashboard': 'dashboard',
  'restore-gateway-config': 'gateways',
  'start-gateways': 'gateways',
  'prove-gateways': 'gateways',
  'start-pump': 'pump',
  'restore-pump-config': 'pump',
  'copy-database': 'database',
  'follow-database': 'database',
  'promote-database': 'database',
  'clear-redis': 'redis',
  'follow-redis': 'redis',
  'promote-redis': 'redis',
  'hold-traffic': 'traffic',
  'drain-source': 'traffic',
  'share-traffic': 'traffic',
  'switch-traffic': 'traffic',
  'prove-traffic': 'traffic',
  'undo-traffic': 'traffic',
};

/** @throws DrError WORKER_NOT_CONFIGURED */
export function requireServed(worker: string, step: string, deployment: Deployment, target?: Site): void {
  const part = target && PART_OF[step];
  const expected = part ? workersOfPart(part, target, deployment) : everyWorkerOf(deployment);
  if (expected.includes(worker)) return;
  throw new DrError('WORKER_NOT_CONFIGURED', {
    worker,
    step,
    what: part ? `${part} of that site, which is served by ${expected.join(', ')}` : 'this deployment',
    serves: servedBy(worker, deployment),
  });
}

function workersOfPart(part: Part, site: Site, { traffic }: Deployment): string[] {
  if (part === 'gateways') return site.gateways.map((gateway) => gateway.worker ?? site.worker);
  return [(part === 'traffic' ? traffic?.worker : site[part]?.worker) ?? site.worker];
}

export function everyWorkerOf({ sites, traffic }: Deployment): string[] {
  return [...new Set([...workersOfSites({ sites }), traffic?.worker])].filter((name) => name !== undefined);
}

function servedBy(worker: string, { sites, traffic }: Deployment): string {
  const parts = Object.entries(sites).flatMap(([name, site]) =>
    (['redis', 'database', 'dashboard', 'pump', 'gateways'] as const)
      .filter((part) => site[part] !== undefined)
      .filter((part) => workersOfPart(part, site, { sites, traffic } as Deployment).includes(worker))
      .map((part) => `${part} of ${name}`),
  );
  return [...parts, ...(traffic?.worker === worker ? ['traffic'] : [])].join(', ') || 'nothing of it';
}
