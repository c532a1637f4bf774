import type { Deployment } from '../domain/config.ts';
import type { MonitorConfig } from '../domain/config-monitor.ts';
import type { MonitorMemory, MonitorSettings } from '../domain/monitor.ts';
import { rpoOf, TIER_DEFAULTS } from '../domain/objectives.ts';
import type { DeploymentShape } from './shape.ts';
import { shapeOf } from './shape-of.ts';
import { everyWorker } from './workers.ts';

/** The input of the workflow `monitor`. */
export interface MonitorInput {
  readonly settings: MonitorSettings;
  readonly shape: DeploymentShape;
  readonly memory: MonitorMemory;
}

/** What the monitor of a deployment is told: names and durations, nothing else. */
export function monitorInput(
  name: string,
  deployment: Deployment & { readonly monitor: MonitorConfig },
  who: Pick<MonitorSettings, 'actor' | 'reason'>,
  memory: MonitorMemory = { heals: [], starts: [] },
): MonitorInput {
  const { monitor, drill, tier } = deployment;
  const shape = shapeOf(name, deployment);
  const sites = Object.entries(shape.sites).map(([site, own]) => ({
    ...{ site, workers: everyWorker(own) },
  }));
  const { observers, failAfter, recoverAfter, flapping, heal, to } = monitor;
  return {
    settings: {
      ...{ deployment: name, sites, observers, ...who },
      ...(drill?.site === undefined ? {} : { drillSite: drill.site }),
      rules: {
        quorum: monitor.quorum ?? Math.max(2, Math.floor(observers.length / 2) + 1),
        ...(deployment.strategy === 'hot' ? { shared: true as const } : {}),
        ...{ failAfterMs: failAfter, recoverAfterMs: recoverAfter },
        flapping: { changes: flapping.changes, withinMs: flapping.within },
      },
      intervalMs: monitor.interval,
      onFailure: monitor.onFailure,
      ...(heal === 'off' ? {} : { heal: { perHour: heal.perHour, afterMs: heal.after } }),
      budgetPerDay: monitor.budgetPerDay,
      ...(to === undefined ? {} : { to }),
      rpoMs: rpoOf(deployment),
      priority: TIER_DEFAULTS[tier].priority,
    },
    shape,
    memory,
  };
}
