import { queryValue, withClient as withPostgres, type Client } from '../../adapters/postgres/client.ts';
import { resumeWrites } from '../../adapters/postgres/replication.ts';
import { withClient as withRedis } from '../../adapters/redis/client.ts';
import { startService } from '../../adapters/service/service.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import type { Site } from '../../domain/config.ts';
import type { SecretRef } from '../../domain/secret.ts';
import { adminConnection, redisEndpoint } from '../endpoints.ts';
import type { Deps } from '../guard.ts';
import { serves, servicesOf } from '../site.ts';
import { areWritesHeld, takeWritesAgain } from './held-writes.ts';

/** A graceful failover was lost after it had stopped the writes: nobody else gives them back. */

/** @returns whether ours is the setting by which the database refuses writes */
export async function refusesWrites(client: Client): Promise<boolean> {
  return queryValue<boolean>(
    client,
    `SELECT setting = 'on' AND sourcefile LIKE '%/postgresql.auto.conf'
       FROM pg_settings WHERE name = 'default_transaction_read_only'`,
  ).then(Boolean);
}

/** What of it is on this host, and stands still. Never throws for a store that cannot be asked: that is said. */
export async function giveWritesBack(deps: Deps, name: string, site: Site): Promise<string[]> {
  const [redis, database] = await Promise.all([redisAgain(deps, site), databaseAgain(deps, site)]);
  const done = [...redis, ...database];
  if (done.length === 0) return [];
  // Stopped with the writes, and of no use without them.
  for (const service of servicesOf(name, site, { component: 'dashboard', worker: deps.worker }))
    if (await startService(service, AbortSignal.timeout(START_TIMEOUT_MS)))
      done.push('the Dashboard runs again');
  return done;
}

const START_TIMEOUT_MS = 5_000;

async function redisAgain(deps: Deps, site: Site): Promise<string[]> {
  const { redis, stateDir } = site;
  if (!redis || !serves(deps.worker, site, redis) || !(await areWritesHeld(stateDir))) return [];
  return told('Redis', async () =>
    withRedis(await redisEndpoint(redis, secretOf(deps)), (client) => takeWritesAgain(client, stateDir)),
  );
}

const secretOf = (deps: Deps) => (reference: SecretRef) => deps.secret(reference);

async function databaseAgain(deps: Deps, site: Site): Promise<string[]> {
  const config = clusterIfOurs(site);
  if (!config || !serves(deps.worker, site, config)) return [];
  let refused = true;
  const said = await told('the database', async () =>
    withPostgres(await adminConnection(config, secretOf(deps)), async (client) => {
      refused = await refusesWrites(client);
      if (refused) await resumeWrites(client);
    }),
  );
  return refused ? said : [];
}

async function told(store: string, work: () => Promise<void>): Promise<string[]> {
  try {
    await work();
    return [`${store} is written to again`];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [`whether ${store} takes writes is not known (${why}): once it runs, do this again`];
  }
}
