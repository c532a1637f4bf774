import { readStandbyMark } from '../adapters/host/standby-mark.ts';
import { withClient as withPostgres } from '../adapters/postgres/client.ts';
import { standbyPosition } from '../adapters/postgres/replication.ts';
import { withClient as withRedis } from '../adapters/redis/client.ts';
import { redisPosition } from '../adapters/redis/replica.ts';
import type { MarkedStore } from '../domain/beacon.ts';
import { clusterIfOurs } from '../domain/cluster.ts';
import type { Site } from '../domain/config.ts';
import { adminConnection, redisEndpoint } from './endpoints.ts';
import type { Found, Watching } from './monitor-probes.ts';
import { serves } from './site.ts';

/** What a standby knows of the stores that it follows, where its observer cannot reach those themselves. */

const UNSEEN: Found = { seen: 'unseen' };

/** @returns `unseen` where no store of this observer's host follows the site, or does not say */
export async function seenByStream(watching: Watching, store: MarkedStore): Promise<Found> {
  const { deployment, deps, siteName } = watching;
  for (const [name, site] of Object.entries(deployment.sites)) {
    const own = store === 'redis' ? site.redis : site.database;
    if (name === siteName || !own || !serves(deps.worker, site, own)) continue;
    if ((await readStandbyMark(site.stateDir))?.of !== siteName) continue;
    const flows = await (store === 'redis' ? redisFlows(watching, site) : databaseFlows(watching, site));
    if (flows === undefined) return UNSEEN;
    return flows ? { seen: 'up' } : { seen: 'down', why: `nothing comes from it to its standby on ${name}` };
  }
  return UNSEEN;
}

async function redisFlows({ deps }: Watching, { redis }: Site): Promise<boolean | undefined> {
  const endpoint = await redisEndpoint(redis!, deps.secret.bind(deps));
  const { role, linkUp } = await withRedis(endpoint, redisPosition);
  return role === 'replica' ? linkUp === true : undefined;
}

async function databaseFlows({ deps }: Watching, site: Site): Promise<boolean | undefined> {
  const cluster = clusterIfOurs(site);
  if (!cluster) return undefined;
  const { inRecovery, receiver } = await withPostgres(
    await adminConnection(cluster, deps.secret.bind(deps)),
    standbyPosition,
  );
  return inRecovery ? receiver === 'streaming' : undefined;
}
