import { Gauge, type Registry } from 'prom-client';
import { lossStanding, type LossStanding } from '../adapters/beacon/standing.ts';
import type { Config } from '../domain/config.ts';
import { rpoRange } from '../domain/loss.ts';
import { remembered } from './remembered.ts';

/** What the beacon's journal says, for Prometheus. What was not measured has no value. */

const SECOND_MS = 1000;

type Fill = (gauge: Gauge, deployment: string, standing: LossStanding) => void;

const GAUGES: readonly [name: string, help: string, labelNames: string[], fill: Fill][] = [
  [
    'tyk_dr_beacon_newest_timestamp_seconds',
    'Newest number that the store of the site has acknowledged and that is journalled',
    ['deployment', 'site', 'store'],
    (gauge, deployment, { newest }) => {
      for (const { site, store, at } of newest)
        gauge.set({ deployment, site, store }, Date.parse(at) / SECOND_MS);
    },
  ],
  [
    'tyk_dr_exposure_worst_seconds',
    'The most that would have been lost at any look of the last 30 days',
    ['deployment', 'store'],
    (gauge, deployment, { exposure }) => {
      for (const { store, worstMs } of exposure)
        if (worstMs !== undefined) gauge.set({ deployment, store }, worstMs / SECOND_MS);
    },
  ],
  [
    'tyk_dr_recovery_loss_seconds',
    'What the last recovery has lost, over all stores, at least and at most',
    ['deployment', 'bound'],
    (gauge, deployment, { recovery }) => {
      const range = rpoRange(recovery?.losses);
      if (!range) return;
      gauge.set({ deployment, bound: 'min' }, range.minMs / SECOND_MS);
      gauge.set({ deployment, bound: 'max' }, range.maxMs / SECOND_MS);
    },
  ],
];

export function addLossGauges(config: Config, registry: Registry): void {
  const look = remembered(() => standingsOf(config));
  for (const [name, help, labelNames, fill] of GAUGES)
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      async collect() {
        this.reset();
        for (const [deployment, standing] of await look()) fill(this, deployment, standing);
      },
    });
}

async function standingsOf(config: Config): Promise<[string, LossStanding][]> {
  const all = await Promise.all(
    Object.entries(config.deployments).map(async ([name, section]): Promise<[string, LossStanding][]> => {
      const standing = await lossStanding(name, section).catch(() => undefined);
      return standing ? [[name, standing]] : [];
    }),
  );
  return all.flat();
}
