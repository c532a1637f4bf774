import type { Client } from '@temporalio/client';
import { Gauge, type Registry } from 'prom-client';
import { lookAtMonitor, type MonitorSeen } from '../adapters/temporal/monitor.ts';
import type { Config } from '../domain/config.ts';
import type { MonitorConfig } from '../domain/config-monitor.ts';
import { MONITOR_STATES, OBSERVED, type MonitorSummary } from '../domain/monitor.ts';
import { sitesOfWorker } from '../domain/monitor-places.ts';
import { remembered } from './remembered.ts';

/**
 * What the monitors have found, for Prometheus, as Temporal keeps it: every worker that looks or serves tells the
 * same, so that it is told where a site is lost. Where Temporal does not answer nothing of it has a value.
 */

const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
/** A scraper waits for ten seconds or so, for everything. */
const LIMIT_MS = 3 * SECOND_MS;

interface Seen {
  readonly deployment: string;
  readonly monitor: MonitorConfig;
  readonly seen: MonitorSeen;
  /** By observer, of all looks of this process: one that is silent was heard some time. */
  readonly heardMs: ReadonlyMap<string, number>;
}

type Set = (labels: Readonly<Record<string, string>>, value: number) => void;
type Shown = readonly [
  name: string,
  help: string,
  labels: string[],
  fill: (set: Set, summary: MonitorSummary, more: Seen) => void,
];

/** A gauge of a monitor that runs and has looked. */
const GAUGES: readonly Shown[] = [
  [
    'tyk_dr_monitor_state',
    '1 for the state of the deployment, 0 for the others',
    ['state'],
    (set, { state }) => MONITOR_STATES.forEach((each) => set({ state: each }, each === state ? 1 : 0)),
  ],
  [
    'tyk_dr_monitor_state_since_timestamp_seconds',
    'Since when it has this state',
    [],
    (set, { since }) => set({}, Date.parse(since) / SECOND_MS),
  ],
  [
    'tyk_dr_monitor_observer',
    '1 for what the observer sees, 0 for the rest; one that is silent or blind does not count',
    ['observer', 'sees'],
    (set, { observers }) => {
      for (const { observer, sees } of observers)
        for (const each of OBSERVED) set({ observer, sees: each }, each === sees ? 1 : 0);
    },
  ],
  [
    'tyk_dr_monitor_heard_timestamp_seconds',
    'When the observer was heard last: it beats every second while it looks',
    ['observer'],
    (set, { observers }, { heardMs }) => {
      for (const { observer } of observers) {
        const atMs = heardMs.get(observer);
        if (atMs !== undefined) set({ observer }, atMs / SECOND_MS);
      }
    },
  ],
  ['tyk_dr_monitor_quorum', 'So many observers must agree', [], (set, { quorum }) => set({}, quorum)],
  [
    'tyk_dr_monitor_held',
    '1 while a run is under way, and nothing is decided',
    [],
    (set, { held }) => set({}, held === undefined ? 0 : 1),
  ],
  [
    'tyk_dr_monitor_paused',
    '1 while somebody has paused it, and nothing is decided',
    [],
    (set, { paused }) => set({}, paused ? 1 : 0),
  ],
  [
    'tyk_dr_monitor_heals_last_hour',
    'Components that were started again within the last hour',
    [],
    (set, { heals }) =>
      set(
        {},
        within(
          HOUR_MS,
          heals.map(({ at }) => at),
        ),
      ),
  ],
  [
    'tyk_dr_monitor_budget_left',
    'So many recoveries on another site may still be started by themselves in these 24 hours',
    [],
    (set, { onFailure, starts }, { monitor }) => {
      if (onFailure === 'start') set({}, Math.max(0, monitor.budgetPerDay - within(DAY_MS, starts)));
    },
  ],
];

const within = (ms: number, times: readonly string[]): number =>
  times.filter((at) => Date.now() - Date.parse(at) < ms).length;

export function addMonitorGauges(config: Config, worker: string, client: Client, registry: Registry): void {
  const heard = new Map<string, Map<string, number>>();
  const looks = remembered(() => look(config, worker, client, heard));
  const gauge = (
    name: string,
    help: string,
    labels: string[],
    fill: (set: Set, each: Seen) => void,
  ): void => {
    new Gauge({
      ...{ name, help, labelNames: ['deployment', ...labels], registers: [registry] },
      async collect() {
        this.reset();
        for (const each of await looks())
          fill((more, value) => this.set({ deployment: each.deployment, ...more }, value), each);
      },
    });
  };
  gauge(
    'tyk_dr_monitor_running',
    '1 where the deployment is monitored, 0 where nobody watches',
    [],
    (set, { seen }) => set({}, seen.isRunning ? 1 : 0),
  );
  for (const [name, help, labels, fill] of GAUGES)
    gauge(name, help, labels, (set, each) => {
      if (each.seen.summary) fill(set, each.seen.summary, each);
    });
}

async function look(
  config: Config,
  worker: string,
  client: Client,
  heard: Map<string, Map<string, number>>,
): Promise<Seen[]> {
  const all = await Promise.all(
    Object.entries(config.deployments).map(async ([deployment, { monitor, sites }]): Promise<Seen[]> => {
      if (!monitor) return [];
      if (!monitor.observers.includes(worker) && sitesOfWorker(sites, worker).length === 0) return [];
      const seen = await lookAtMonitor(client, deployment, LIMIT_MS);
      if (!seen) return [];
      const heardMs = new Map([...(heard.get(deployment) ?? []), ...seen.heardMs]);
      heard.set(deployment, heardMs);
      return [{ deployment, monitor, seen, heardMs }];
    }),
  );
  return all.flat();
}
