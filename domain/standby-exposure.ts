import { formatDuration } from './duration.ts';
import type { HostFigures, Store } from './figures.ts';

/**
 * What a failover to the standby would lose now: never what it says of its stream, which is level with an idle source and
 * with one that is cut off, but the age of the newest watermark that has arrived. Pure.
 */

export interface StandbyExposure {
  readonly exposureMs: number;
  readonly basis: string;
}

/** @param live the site that serves. Undefined unless a stream runs and a watermark has come through it. */
export function standbyExposure(
  hosts: readonly HostFigures[],
  live: string | undefined,
  store: Store,
): StandbyExposure | undefined {
  const found = hosts.flatMap(({ site, measuredAt, replication }) => {
    if (live === undefined || replication?.follows !== live) return [];
    return (replication.standing ?? []).flatMap((standing) => {
      const { role, streaming, markedAt, lagMs = 0, problem, promoted } = standing;
      const isThere = (role === 'follows' && streaming === true) || promoted === true;
      if (standing.store !== store || !isThere) return [];
      if (markedAt === undefined || problem !== undefined) return [];
      // By two clocks, or by one: the larger counts, where the clocks differ or the beacon stands still.
      const exposureMs = Math.max(lagMs, Date.parse(measuredAt) - Date.parse(markedAt), 0);
      return [{ exposureMs, basis: `standby ${site}: ${formatDuration(exposureMs)} behind` }];
    });
  });
  return found.sort((a, b) => a.exposureMs - b.exposureMs)[0];
}
