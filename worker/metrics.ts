import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Client } from '@temporalio/client';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { measureHost } from '../activities/measure.ts';
import type { Deps } from '../activities/guard.ts';
import { servicesOf } from '../activities/site.ts';
import { addLossGauges } from './loss-metrics.ts';
import { addMonitorGauges } from './monitor-metrics.ts';
import { remembered } from './remembered.ts';
import { REPLICATION_GAUGES } from './replication-metrics.ts';
import { addWatchGauges } from './watch-metrics.ts';
import type { Config } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { ReplicationFigures } from '../domain/figures.ts';
import { rpoOf } from '../domain/objectives.ts';
import { standings, type Standing } from '../domain/standing.ts';

/** What `backup status` says, for Prometheus: of the stores that this worker serves. Measured when it is asked. */

/**
 * @param client tells what Temporal knows: the state of the monitors
 * @returns the server, listening. @throws DrError BAD_ARGUMENT where it cannot listen.
 */
export async function serveMetrics(
  config: Config,
  deps: Deps,
  listen: string,
  client: Client,
): Promise<Server> {
  const registry = metricsOf(config, deps, client);
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics')
      return response.writeHead(404).end();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  const at = listen.lastIndexOf(':');
  server.listen(Number(listen.slice(at + 1)), listen.slice(0, at).replace(/^\[|\]$/g, ''));
  await once(server, 'listening').catch((error: unknown) => {
    throw new DrError(
      'BAD_ARGUMENT',
      {
        argument: `metrics.${deps.worker}.listen`,
        value: listen,
        expected: `a free address (${String(error)})`,
      },
      { cause: error },
    );
  });
  return server;
}

interface Look {
  readonly deployment: string;
  readonly site: string;
  readonly live: boolean;
  readonly rpoMs: number;
  readonly stores: readonly Standing[];
  readonly replication?: ReplicationFigures;
}

const SECOND_MS = 1000;
const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / SECOND_MS;
const timestamp = (at: string | undefined): number | undefined =>
  at === undefined ? undefined : Date.parse(at) / SECOND_MS;

/** One gauge for each store of a site that serves. What was not measured has no value. */
const STORE_GAUGES: readonly [
  name: string,
  help: string,
  value: (standing: Standing) => number | undefined,
][] = [
  ['tyk_dr_exposure_seconds', 'Data of this age would be lost now', ({ exposureMs }) => seconds(exposureMs)],
  [
    'tyk_dr_in_bounds',
    '1 where the exposure is within the RPO, 0 where it is not, or not measured',
    ({ state }) => (state === 'in bounds' ? 1 : 0),
  ],
  [
    'tyk_dr_last_success_timestamp_seconds',
    'When the newest set was complete',
    ({ lastSuccess }) => timestamp(lastSuccess),
  ],
  [
    'tyk_dr_last_verified_timestamp_seconds',
    'When the newest proven set was proven',
    ({ lastVerified }) => timestamp(lastVerified),
  ],
  ['tyk_dr_backup_size_bytes', 'Of the newest set', ({ bytes }) => bytes?.value],
  [
    'tyk_dr_backup_duration_seconds',
    'How long the newest set took',
    ({ durationMs }) => seconds(durationMs?.value),
  ],
];

function metricsOf(config: Config, deps: Deps, client: Client): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const looks = remembered(() => look(config, deps));
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    fill: (gauge: Gauge, each: Look) => void,
  ): void => {
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      async collect() {
        this.reset();
        for (const each of await looks()) fill(this, each);
      },
    });
  };
  gauge(
    'tyk_dr_site_live',
    '1 where the stores of the site run on this host and it is not fenced',
    ['deployment', 'site'],
    (own, { deployment, site, live }) => own.set({ deployment, site }, live ? 1 : 0),
  );
  gauge('tyk_dr_rpo_seconds', 'The recovery point objective', ['deployment'], (own, { deployment, rpoMs }) =>
    own.set({ deployment }, rpoMs / SECOND_MS),
  );
  for (const [name, help, valueOf] of STORE_GAUGES)
    gauge(name, help, ['deployment', 'site', 'store'], (own, { deployment, site, live, stores }) => {
      for (const standing of live ? stores : []) {
        const value = valueOf(standing);
        if (value !== undefined) own.set({ deployment, site, store: standing.store }, value);
      }
    });
  for (const [name, help, labelNames, fill] of REPLICATION_GAUGES)
    gauge(name, help, ['deployment', 'site', ...labelNames], (own, { deployment, site, replication }) => {
      if (replication) fill((labels, value) => own.set({ deployment, site, ...labels }, value), replication);
    });
  addLossGauges(config, registry);
  addMonitorGauges(config, deps.worker, client, registry);
  addWatchGauges(config, deps.worker, client, registry);
  return registry;
}

async function look(config: Config, deps: Deps): Promise<Look[]> {
  const own = Object.entries(config.deployments).flatMap(([deployment, section]) =>
    Object.entries(section.sites)
      .filter(([name, site]) => servicesOf(name, site, { worker: deps.worker }).length > 0)
      .map(([site]) => ({
        deployment,
        site,
        rpoMs: rpoOf(section),
      })),
  );
  return Promise.all(
    own.map(async ({ deployment, site, rpoMs }) => {
      const figures = await measureHost(deps, deployment, site);
      const stores = standings([figures], figures.serves, rpoMs);
      const { live, replication } = figures;
      return { deployment, site, rpoMs, live, stores, ...(replication ? { replication } : {}) };
    }),
  );
}
