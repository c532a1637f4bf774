import { withClient as withPostgres } from '../../adapters/postgres/client.ts';
import { refusesWrites, resumeWrites } from '../../adapters/postgres/replication.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { startService } from '../../adapters/service/service.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import type { Site } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { SecretRef } from '../../domain/secret.ts';
import { adminConnection, redisEndpoint } from '../endpoints.ts';
import type { Deps } from '../guard.ts';
import { serves, servicesOf } from '../site.ts';
import { areWritesHeld, takeWritesAgain } from './held-writes.ts';

/** A graceful failover was lost after it had stopped the writes: nobody else gives them back. */

/**
 * What of it is on this host, and stands still. A store that does not run is left out: the doctor tells of it once it
 * does. Never throws for one that cannot be asked: that is said.
 */
export async function giveWritesBack(deps: Deps, name: string, site: Site): Promise<string[]> {
  const attempts = await Promise.all([
    attempt('Redis', () => redisAgain(deps, site)),
    attempt('the database', () => databaseAgain(deps, site)),
  ]);
  const told = attempts.flatMap(({ text }) => text ?? []);
  if (!attempts.some(({ given }) => given)) return told;
  // Stopped with the writes, and of no use without them.
  for (const service of servicesOf(name, site, { component: 'dashboard', worker: deps.worker }))
    if (await startService(service, AbortSignal.timeout(START_TIMEOUT_MS)))
      told.push('the Dashboard runs again');
  return told;
}

const START_TIMEOUT_MS = 5_000;

interface Attempt {
  readonly given: boolean;
  readonly text?: string;
}

/** @param again returns whether writes had been held */
async function attempt(store: string, again: () => Promise<boolean>): Promise<Attempt> {
  try {
    return (await again()) ? { given: true, text: `${store} is written to again` } : { given: false };
  } catch (error) {
    if (error instanceof DrError && error.code === 'STORE_UNREACHABLE') return { given: false };
    const why = error instanceof Error ? error.message : String(error);
    return { given: false, text: `whether ${store} takes writes is not known: ${why}` };
  }
}

async function redisAgain(deps: Deps, site: Site): Promise<boolean> {
  const { redis, stateDir } = site;
  if (!redis || !serves(deps.worker, site, redis) || !(await areWritesHeld(stateDir))) return false;
  const endpoint = await redisEndpoint(redis, secretOf(deps));
  await withRedis(endpoint, (client) => takeWritesAgain(client, stateDir));
  return true;
}

async function databaseAgain(deps: Deps, site: Site): Promise<boolean> {
  const cluster = clusterIfOurs(site);
  if (!cluster || !serves(deps.worker, site, cluster)) return false;
  return withPostgres(await adminConnection(cluster, secretOf(deps)), async (client) => {
    const refused = await refusesWrites(client);
    if (refused) await resumeWrites(client);
    return refused;
  });
}

const secretOf = (deps: Deps) => (reference: SecretRef) => deps.secret(reference);
