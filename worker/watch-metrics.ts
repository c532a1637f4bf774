import type { Client } from '@temporalio/client';
import { Gauge, type Registry } from 'prom-client';
import { lastWatch, type LastWatch } from '../adapters/temporal/last-watch.ts';
import type { Config } from '../domain/config.ts';
import { sitesOfWorker } from '../domain/monitor-places.ts';
import { remembered } from './remembered.ts';

/** What only all hosts together tell, for Prometheus: as the scheduled `watch` has found it when it looked last. */

const SECOND_MS = 1000;
/** It looks every five minutes or so; each answer is several calls to Temporal. */
const FRESH_MS = 60 * SECOND_MS;
const LIMIT_MS = 3 * SECOND_MS;

type Fill = (gauge: Gauge, deployment: string, last: LastWatch) => void;

const GAUGES: readonly [name: string, help: string, labelNames: string[], fill: Fill][] = [
  [
    'tyk_dr_watch_timestamp_seconds',
    'When the scheduled watch looked last, and came to an end',
    ['deployment'],
    (gauge, deployment, { atMs }) => gauge.set({ deployment }, atMs / SECOND_MS),
  ],
  [
    'tyk_dr_drift',
    'In so many things a standby differs from the site that it follows, or could not be compared with it',
    ['deployment', 'site'],
    (gauge, deployment, { watched: { drift = [] } }) => {
      for (const site of new Set(drift.map(({ where }) => where))) {
        const differing = drift.filter(({ where, severity }) => where === site && severity !== 'ok');
        gauge.set({ deployment, site }, differing.length);
      }
    },
  ],
];

export function addWatchGauges(config: Config, worker: string, client: Client, registry: Registry): void {
  const look = remembered(() => looksOf(config, worker, client), FRESH_MS);
  for (const [name, help, labelNames, fill] of GAUGES)
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      async collect() {
        this.reset();
        for (const [deployment, last] of await look()) fill(this, deployment, last);
      },
    });
}

async function looksOf(config: Config, worker: string, client: Client): Promise<[string, LastWatch][]> {
  const all = await Promise.all(
    Object.entries(config.deployments).map(
      async ([name, { backup, sites }]): Promise<[string, LastWatch][]> => {
        if (!backup.schedules || sitesOfWorker(sites, worker).length === 0) return [];
        const last = await lastWatch(client, name, LIMIT_MS).catch(() => undefined);
        return last ? [[name, last]] : [];
      },
    ),
  );
  return all.flat();
}
