import { withClient } from '../../adapters/postgres/client.ts';
import { commitWaits, slotHolds, slotLimit, slotOf } from '../../adapters/postgres/replication.ts';
import { freeBytes } from '../../adapters/files/disk.ts';
import { readStandbyMark } from '../../adapters/host/standby-mark.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import type { CommitFigures, ReplicationFigures, SlotFigures } from '../../domain/figures.ts';
import { rpoOf } from '../../domain/objectives.ts';
import { replicatesAt } from '../../domain/strategy.ts';
import { adminConnection } from '../endpoints.ts';
import type { Deps } from '../guard.ts';
import { serves } from '../site.ts';
import { markedStores } from '../watermarks.ts';
import { standingOf } from './lag.ts';

/** What one worker measures of replication; `domain/judge-replication.ts` judges it. */

/** Of a stream that runs, the newest watermark is of today, or of the moments around midnight. */
const JOURNAL_DAYS_MS = 2 * 86_400_000;

/** @returns undefined where nothing replicates: by the strategy, or at a site that is there for drills. */
export async function replicationFigures(
  deps: Deps,
  name: string,
  siteName: string,
  live: boolean,
): Promise<ReplicationFigures | undefined> {
  const deployment = deps.deployment(name);
  const site = deployment.sites[siteName]!;
  if (!replicatesAt(deployment, siteName)) return undefined;
  const own = {
    deployment: name,
    maxLagMs: deployment.replication?.maxLag ?? rpoOf(deployment),
    stores: markedStores(site),
  };
  const mark = await readStandbyMark(site.stateDir);
  const source = mark && deployment.sites[mark.of];
  if (mark && source) {
    const standing = await standingOf({
      ...{ worker: deps.worker, deployment, target: site, source },
      plan: { deployment: name, from: mark.of, to: siteName },
      since: new Date(Date.now() - JOURNAL_DAYS_MS).toISOString().slice(0, 10),
      secret: (reference) => deps.secret(reference),
    });
    return { ...own, follows: mark.of, standing };
  }
  const kept = live ? await keptForOthers(deps, name, siteName) : {};
  return { ...own, ...kept };
}

/** Of the site that serves, where its database is on this host. */
async function keptForOthers(
  deps: Deps,
  name: string,
  siteName: string,
): Promise<{ slots?: SlotFigures; commits?: CommitFigures }> {
  const { sites, drill, replication } = deps.deployment(name);
  const site = sites[siteName]!;
  const config = clusterIfOurs(site);
  if (!config || !serves(deps.worker, site, config)) return {};
  const others = Object.keys(sites).filter((other) => other !== siteName && other !== drill?.site);
  const connection = await adminConnection(config, (reference) => deps.secret(reference));
  const [{ keepBytes, slots, waits }, free] = await Promise.all([
    withClient(connection, async (client) => {
      const found: SlotFigures['slots'][number][] = [];
      for (const other of others) {
        const held = await slotHolds(client, slotOf(other));
        if (held)
          found.push({ site: other, heldBytes: held.bytes, active: held.active, status: held.status });
      }
      return { keepBytes: await slotLimit(client), slots: found, waits: await commitWaits(client) };
    }),
    freeBytes(`${config.dataDir}/pg_wal`),
  ]);
  return {
    slots: { freeBytes: free, ...(keepBytes === undefined ? {} : { keepBytes }), slots },
    commits: { wanted: replication?.database?.mode === 'synchronous', ...waits },
  };
}
