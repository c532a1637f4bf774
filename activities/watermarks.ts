import type { Marks } from '../adapters/beacon/marks.ts';
import { openMongoMarks, readMongoMarks } from '../adapters/beacon/mongodb.ts';
import { openPostgresMarks, readPostgresMarks } from '../adapters/beacon/postgres.ts';
import { openRedisMarks, readRedisMarks } from '../adapters/beacon/redis.ts';
import type { MarkedStore } from '../domain/beacon.ts';
import type { Site } from '../domain/config.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';
import { mongoEndpoint } from './database/mongodb.ts';
import { adminConnection, redisStore, writtenRedis } from './endpoints.ts';
import { serves } from './site.ts';

/** The watermarks of a site's stores, by what the configuration says of them. */

type Resolve = (reference: SecretRef) => Promise<Secret>;

/** Those of its stores that this worker serves; all where no worker is named. */
export function markedStores(site: Site, worker?: string): MarkedStore[] {
  const serving = (part: { readonly worker?: string | undefined } | undefined): boolean =>
    worker === undefined ? part !== undefined : serves(worker, site, part);
  return [
    ...(serving(site.redis) ? (['redis'] as const) : []),
    ...(serving(site.database) ? (['database'] as const) : []),
  ];
}

/** @throws DrError STORE_UNREACHABLE and what the store itself refuses with */
export async function openMarks(
  site: Site,
  store: MarkedStore,
  keepSeconds: number,
  secret: Resolve,
): Promise<Marks> {
  const { redis, database } = site;
  if (store === 'redis') return openRedisMarks(await writtenRedis(redis!, secret));
  return database!.kind === 'mongodb'
    ? openMongoMarks(await mongoEndpoint(database!, secret), keepSeconds)
    : openPostgresMarks(await adminConnection(database!, secret), database!.user, keepSeconds);
}

/**
 * The numbers that a store holds; empty where it has none.
 *
 * @param own of this very server, also where it is a member of a replica set that another one writes for.
 * @throws DrError STORE_UNREACHABLE
 */
export async function readMarks(
  site: Site,
  store: MarkedStore,
  secret: Resolve,
  own = false,
): Promise<number[]> {
  const { redis, database } = site;
  if (store === 'redis') return readRedisMarks(await redisStore(redis!, secret));
  return database!.kind === 'mongodb'
    ? readMongoMarks({
        ...(await mongoEndpoint(database!, secret)),
        ...(own ? { replicaSet: undefined } : {}),
      })
    : readPostgresMarks(await adminConnection(database!, secret));
}
