import type { Deployment } from '../domain/config.ts';
import type { Plant } from '../domain/drill.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import type { DeploymentShape } from './shape.ts';

/** What the planner needs to know of a deployment: which parts it has and which workers serve them. */
export function shapeOf(name: string, deployment: Deployment): DeploymentShape {
  const sites = Object.values(deployment.sites);
  const defaults = TIER_DEFAULTS[deployment.tier];
  return {
    deployment: name,
    tier: deployment.tier,
    strategy: deployment.strategy,
    ...(deployment.replication?.maxLag === undefined ? {} : { maxLagMs: deployment.replication.maxLag }),
    ...(deployment.replication?.gateways === undefined
      ? {}
      : { standbyGateways: deployment.replication.gateways }),
    ...(deployment.replication === undefined ? {} : { sharePercent: deployment.replication.share }),
    synchronous: deployment.replication?.database?.mode === 'synchronous',
    objectives: {
      rtoMs: deployment.objectives.rto ?? defaults.rtoMs,
      rpoMs: deployment.objectives.rpo ?? defaults.rpoMs,
    },
    hasRedis: sites.some((site) => site.redis),
    hasDatabase: sites.some((site) => site.database),
    hasDatabaseLog: sites.every((site) => site.database?.method === 'pgbackrest'),
    hasDashboard: sites.some((site) => site.dashboard),
    hasPump: sites.some((site) => site.pump),
    hasTraffic: deployment.traffic !== undefined,
    hasAnalyticsProbe: deployment.analytics !== undefined,
    hasWitness: deployment.witness !== undefined,
    slos: deployment.slos,
    ...(deployment.drill?.site === undefined
      ? {}
      : { drill: { site: deployment.drill.site, limitMs: deployment.drill.limit } }),
    unplantable: unplantable(deployment),
    approvers: deployment.approvers?.length ?? 0,
    notifies: deployment.notify !== undefined,
    ...(deployment.traffic?.worker === undefined ? {} : { trafficWorker: deployment.traffic.worker }),
    ...(deployment.approvals === undefined
      ? {}
      : {
          approvals: deployment.approvals.map(({ step, count, roles, timeout, onTimeout }) => ({
            ...{ step, count, roles, onTimeout },
            timeoutMs: timeout,
          })),
        }),
    sites: Object.fromEntries(
      Object.entries(deployment.sites).map(([siteName, site]) => [
        siteName,
        {
          worker: site.worker,
          provisions:
            site.provision !== undefined ||
            components(site).some((component) => component?.install !== undefined),
          redisWorker: site.redis?.worker ?? site.worker,
          databaseWorker: site.database?.worker ?? site.worker,
          dashboardWorker: site.dashboard?.worker ?? site.worker,
          gatewayWorkers: [...new Set(site.gateways.map((gateway) => gateway.worker ?? site.worker))],
          pumpWorker: site.pump?.worker ?? site.worker,
        },
      ]),
    ),
  };
}

function unplantable({ sites, probes }: Deployment): Plant[] {
  return [
    ...(Object.values(sites).some(({ database }) => database?.kind !== 'postgresql')
      ? (['slow-database'] as const)
      : []),
    ...(probes.some(({ proves, key }) => proves === 'revoked-key' && key !== undefined)
      ? []
      : (['revoked-key-works'] as const)),
  ];
}

function components(site: Deployment['sites'][string]) {
  return [site.redis, site.database, site.dashboard, ...site.gateways, site.pump];
}
