import { readDrillMark } from '../adapters/host/drill-mark.ts';
import { readFence } from '../adapters/host/fence.ts';
import { readStandbyMark } from '../adapters/host/standby-mark.ts';
import { serviceState } from '../adapters/service/service.ts';
import type { Site } from '../domain/config.ts';
import { servicesOf } from './site.ts';

/** Whether a site serves, as one of its workers sees it. */

export interface LiveState {
  /** The stores on this host run, and nobody has fenced the site. */
  readonly live: boolean;
  readonly fencedBy?: string;
  /** The site whose stores its own follow. */
  readonly standbyOf?: string;
  /** `redis running, database stopped`. */
  readonly summary: string;
}

export async function liveState(worker: string, siteName: string, site: Site): Promise<LiveState> {
  const fencedBy = await readFence(site.stateDir);
  const drill = await readDrillMark(site.stateDir);
  // What runs there is a rehearsal: no client is served, and nothing of it may be backed up or marked.
  if (drill) return { live: false, summary: `the drill ${drill.run} runs there` };
  const standby = await readStandbyMark(site.stateDir);
  if (standby)
    return { live: false, standbyOf: standby.of, summary: `standby: its stores follow ${standby.of}` };
  const own = servicesOf(siteName, site, { worker });
  // Where all stores are managed and always run, what uses them tells which site lives.
  const managed = !site.redis?.service && !site.database?.service;
  const stores = managed
    ? own
    : own.filter(({ component }) => component === 'redis' || component === 'database');
  const states = await Promise.all(stores.map(serviceState));
  const live = fencedBy === undefined && states.every((state) => state === 'running');
  const summary = stores.map(({ name }, index) => `${name} ${states[index]}`).join(', ');
  return fencedBy === undefined ? { live, summary } : { live, fencedBy, summary: `fenced by ${fencedBy}` };
}
