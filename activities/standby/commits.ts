import { withClient } from '../../adapters/postgres/client.ts';
import { commitWaits, isStreamed, setSynchronous, slotOf } from '../../adapters/postgres/replication.ts';
import { clusterOf } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import { knownSite } from '../../domain/known-site.ts';
import type { CommitsInput } from '../../domain/plan.ts';
import { adminConnection } from '../endpoints.ts';
import type { Deps } from '../guard.ts';
import { liveState } from '../live.ts';
import { serves } from '../site.ts';
import { asActivity } from '../to-failure.ts';

/** A standby is gone and commits wait for it, or it is back: the one setting, and nothing else of the site. */

export function createCommitsActivities(deps: Deps) {
  return {
    'set-commits': (input: CommitsInput) => asActivity(() => setCommits(deps, input)),
  };
}

/** @throws DrError STANDBY_IS_ANOTHER where the site does not serve, or the standby does not stream */
async function setCommits(
  deps: Deps,
  { deployment: name, from, to, wait }: CommitsInput,
): Promise<string | undefined> {
  const site = knownSite(name, deps.deployment(name).sites, from);
  if (site.database?.kind !== 'postgresql' || !serves(deps.worker, site, site.database)) return undefined;
  const { live, summary } = await liveState(deps.worker, from, site);
  if (!live)
    throw new DrError('STANDBY_IS_ANOTHER', { site: to, reason: `${from} does not serve: ${summary}` });
  const connection = await adminConnection(clusterOf(site), (reference) => deps.secret(reference));
  return withClient(connection, async (client) => {
    if (wait && !(await isStreamed(client, slotOf(to))))
      throw new DrError('STANDBY_IS_ANOTHER', {
        site: to,
        reason: `its database does not stream from ${from} now, and every write would wait`,
      });
    const { waiting } = await commitWaits(client);
    await setSynchronous(client, wait ? slotOf(to) : undefined);
    if (wait) return `commits wait for ${to}`;
    return `commits wait for no standby${waiting > 0 ? `; ${waiting} that waited have ended, and are only on ${from}` : ''}`;
  });
}
