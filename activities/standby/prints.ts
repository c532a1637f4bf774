import type { Prints } from '../../domain/figures.ts';
import { replicates } from '../../domain/strategy.ts';
import { treePrintsOf } from '../doctor/drift.ts';
import type { Host } from '../doctor/host.ts';
import { recipientOf } from '../doctor/keys.ts';
import { versionsOf } from '../doctor/tools.ts';
import type { Deps } from '../guard.ts';

/** What the doctor compares between a standby and the site that serves, for whoever looks more often than a doctor. */
export async function printsOf(
  deps: Deps,
  name: string,
  siteName: string,
  live: boolean,
  nonce: string,
): Promise<Prints | undefined> {
  const deployment = deps.deployment(name);
  if (!replicates(deployment.strategy) || siteName === deployment.drill?.site) return undefined;
  const host: Host = {
    ...{ worker: deps.worker, deploymentName: name, deployment, siteName, where: siteName, live, nonce },
    site: deployment.sites[siteName]!,
    signal: new AbortController().signal,
    secret: (reference) => deps.secret(reference),
  };
  const [trees, versions, recipient] = await Promise.all([
    treePrintsOf(host),
    versionsOf(host),
    recipientOf(host),
  ]);
  return {
    versions,
    ...(trees.length > 0 ? { trees } : {}),
    ...(recipient === undefined ? {} : { recipient }),
  };
}
