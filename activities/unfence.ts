import { lowerFence, readFence } from '../adapters/host/fence.ts';
import { readStandbyMark } from '../adapters/host/standby-mark.ts';
import { serviceState } from '../adapters/service/service.ts';
import { knownSite } from '../domain/known-site.ts';
import type { Site } from '../domain/config.ts';
import type { UnfenceInput } from '../domain/plan.ts';
import type { Deps } from './guard.ts';
import { giveWritesBack } from './standby/writes-again.ts';
import { servicesOf } from './site.ts';
import { asActivity } from './to-failure.ts';

/** The way back of a site that was given up, where no recovery is to bring it back; or of one whose writes were held. */

/** What writes, or lets clients write. */
const WRITERS: readonly string[] = ['redis', 'database', 'gateway'];

export function createUnfenceActivities(deps: Deps) {
  return {
    'look-at-writers': (deployment: string, site: string) =>
      asActivity(async () =>
        writersOf(deps.worker, site, knownSite(deployment, deps.deployment(deployment).sites, site)),
      ),
    'lower-fence': (input: UnfenceInput) =>
      asActivity(async () => {
        const { deployment, site } = input;
        const own = knownSite(deployment, deps.deployment(deployment).sites, site);
        const by = await readFence(own.stateDir);
        await lowerFence(own.stateDir);
        const isStandby = (await readStandbyMark(own.stateDir)) !== undefined;
        const writes = isStandby ? [] : await giveWritesBack(deps, site, own);
        return [by === undefined ? 'it was not fenced' : `lifted the fence of ${by}`, ...writes].join(', ');
      }),
  };
}

/** Names of the writers that run on this worker's host; none where the site is fenced, or follows another one. */
export async function writersOf(worker: string, name: string, site: Site): Promise<string[]> {
  if ((await readFence(site.stateDir)) !== undefined || (await readStandbyMark(site.stateDir))) return [];
  const writers = servicesOf(name, site, { worker }).filter(({ component }) => WRITERS.includes(component));
  const states = await Promise.all(writers.map(serviceState));
  return writers.filter((_, index) => states[index] === 'running').map((writer) => writer.name);
}
