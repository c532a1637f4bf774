import { lowerFence, readFence } from '../adapters/host/fence.ts';
import { serviceState } from '../adapters/service/service.ts';
import type { Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { UnfenceInput } from '../domain/plan.ts';
import type { Deps } from './guard.ts';
import { servicesOf } from './site.ts';
import { asActivity } from './to-failure.ts';

/** The way back of a site that was given up, where no recovery is to bring it back. */

/** What writes, or lets clients write. */
const WRITERS: readonly string[] = ['redis', 'database', 'gateway'];

export function createUnfenceActivities(deps: Deps) {
  return {
    'look-at-writers': (deployment: string, site: string) =>
      asActivity(async () => writersOf(deps.worker, site, siteOf(deps, deployment, site))),
    'lower-fence': (input: UnfenceInput) =>
      asActivity(async () => {
        const { stateDir } = siteOf(deps, input.deployment, input.site);
        const by = await readFence(stateDir);
        await lowerFence(stateDir);
        return by === undefined ? 'it was not fenced' : `lifted the fence of ${by}`;
      }),
  };
}

/** Names of the writers that run on this worker's host; none where the site is fenced. */
export async function writersOf(worker: string, name: string, site: Site): Promise<string[]> {
  if ((await readFence(site.stateDir)) !== undefined) return [];
  const writers = servicesOf(name, site, { worker }).filter(({ component }) => WRITERS.includes(component));
  const states = await Promise.all(writers.map(serviceState));
  return writers.filter((_, index) => states[index] === 'running').map((writer) => writer.name);
}

function siteOf(deps: Deps, deployment: string, site: string): Site {
  const { sites } = deps.deployment(deployment);
  const found = sites[site];
  if (!found) throw new DrError('UNKNOWN_SITE', { deployment, site, known: Object.keys(sites).join(', ') });
  return found;
}
