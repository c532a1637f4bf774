import type { RecoverPlan } from '../domain/plan.ts';
import type { Recoverable } from '../domain/run.ts';
import type { DeploymentShape, SiteShape } from './shape.ts';

/** Whose workers do what: a site may live on several hosts. */

export function workersOf(
  shape: DeploymentShape,
  source: SiteShape,
  target: SiteShape,
  component: Recoverable | undefined,
  others: readonly string[],
): RecoverPlan['workers'] {
  const lead = target.worker;
  const gateways = target.gatewayWorkers.length > 0 ? target.gatewayWorkers : [lead];
  const own = {
    redis: [target.redisWorker ?? lead],
    database: [target.databaseWorker ?? lead],
    dashboard: [target.dashboardWorker ?? lead],
    gateways,
    pump: [target.pumpWorker ?? lead],
  };
  const concerned = component === undefined ? everyWorker(target) : own[workerKey(component)];
  return {
    ...own,
    lead: [lead],
    target: [...new Set(concerned)],
    source: everyWorker(source),
    verifier: [gateways[0]!],
    inspectors: [...new Set([gateways[0]!, ...concerned])],
    traffic: [shape.trafficWorker ?? lead],
    others,
  };
}

function workerKey(component: Recoverable): 'redis' | 'database' | 'dashboard' | 'gateways' {
  return component === 'gateway' ? 'gateways' : component;
}

/** Every worker that the plan cannot do without. */
export function workersNeeded({ workers, failover }: Pick<RecoverPlan, 'workers' | 'failover'>): string[] {
  // A further site's worker may be away with its site; the run then says that nobody has looked there.
  const { source: _source, others: _others, live = [], ...needed } = workers;
  // A site that is given up may be away with its workers.
  return [...new Set([...Object.values(needed).flat(), ...(failover?.mode === 'forced' ? [] : live)])];
}

/** Of the sites that this recovery neither gives up nor brings back. */
export function workersElsewhere(shape: DeploymentShape, from: string, to: string): string[] {
  const elsewhere = Object.entries(shape.sites).filter(([site]) => site !== from && site !== to);
  return [...new Set(elsewhere.flatMap(([, site]) => everyWorker(site)))];
}

/** The site's own first, each once. */
export function everyWorker(site: SiteShape): string[] {
  const { worker, redisWorker, databaseWorker, dashboardWorker, pumpWorker, gatewayWorkers } = site;
  const all = [worker, redisWorker, databaseWorker, dashboardWorker, ...gatewayWorkers, pumpWorker];
  return [...new Set(all.filter((name) => name !== undefined))];
}
