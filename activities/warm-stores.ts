import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Proof } from '../domain/run.ts';
import { countKeys } from '../adapters/redis/mark.ts';
import { withMasters } from '../adapters/redis/shards.ts';
import { methodOf } from './database/choose.ts';
import { redisStore } from './endpoints.ts';
import type { Call } from './guard.ts';
import { notMeasured, proof } from './proofs.ts';
import { serves } from './site.ts';

/**
 * A plan that starts stores without restoring them (a network outage, the Redis after a human error) needs stores
 * that hold this deployment's data. Judged by their files, before anything is touched: a cold site would come up
 * empty, and one that was left behind by an earlier failover would bring back the past.
 *
 * @throws DrError TARGET_COLD, TARGET_IS_ANOTHER
 */
export async function warmStores(call: Call, manifest: Manifest): Promise<Proof[]> {
  const { target, worker, input } = call;
  const startedAsIs = (store: 'redis' | 'database'): boolean =>
    serves(worker, target, target[store]) &&
    input.plan.steps.includes(`start-${store}`) &&
    !input.plan.steps.includes(`restore-${store}-data`);
  const proofs: Proof[] = [];
  if (target.redis && manifest.redis && startedAsIs('redis'))
    proofs.push(await warmRedis(call, target.redis));
  if (target.database && manifest.database && startedAsIs('database'))
    proofs.push(...(await methodOf(target.database).checkWarm(call, manifest)));
  return proofs;
}

/** Redis says nothing about whose data it holds; that there are any is all that its files tell. */
async function warmRedis(call: Call, redis: RedisConfig): Promise<Proof> {
  const name = 'Redis, which is not restored, holds data';
  const { dataDir, service } = redis;
  const site = call.input.plan.to;
  if (!service) {
    const keys = await withMasters(await redisStore(redis, call.secret), countKeys);
    if (keys === 0) throw cold(site, 'redis', 'it runs and holds no keys');
    return proof(name, true, 'some keys', keys);
  }
  if (dataDir === undefined) return notMeasured(name, 'it is stopped and its files are not here');
  const folder = join(dataDir, 'appendonlydir');
  const names = await readdir(folder).catch((): string[] => []);
  const files = [join(dataDir, 'dump.rdb'), ...names.map((name) => join(folder, name))];
  const bytes = await Promise.all(
    files
      .filter((file) => !file.endsWith('.manifest'))
      .map((file) =>
        stat(file).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  const total = bytes.reduce((sum, size) => sum + size, 0);
  // An empty Redis writes a base of less than this.
  if (total < EMPTY_REDIS_BYTES) throw cold(site, 'redis', `${dataDir} holds no data`);
  return proof(name, true, 'more than an empty one', `${total} bytes`);
}

const EMPTY_REDIS_BYTES = 200;

function cold(site: string, component: string, reason: string): DrError {
  return new DrError('TARGET_COLD', { site, component, reason });
}
