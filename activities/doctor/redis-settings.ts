import { judgeSettings, redisSettings } from '../../adapters/redis/settings.ts';
import { withMasters } from '../../adapters/redis/shards.ts';
import type { Finding } from '../../domain/doctor.ts';
import { DrError } from '../../domain/errors.ts';
import { rpoOf } from '../../domain/objectives.ts';
import { redisStore } from '../endpoints.ts';
import { serves } from '../site.ts';
import type { Host } from './host.ts';

/** What the live Redis does by itself against loss, each setting with its meaning for the RPO. */
export async function checkRedisSettings(host: Host): Promise<Finding[]> {
  const { worker, site, deployment, where } = host;
  const { redis } = site;
  if (!host.live || !redis || !serves(worker, site, redis)) return [];
  const rpoMs = rpoOf(deployment);
  try {
    const settings = await withMasters(await redisStore(redis, host.secret), ({ all }) =>
      Promise.all(all.map(({ client }) => redisSettings(client))),
    );
    const told = settings.flatMap((each) => judgeSettings(each, { rpoMs, method: redis.method }));
    const lines = told.map(({ setting, value, severity, meaning, hint }): Finding => {
      const message = `${setting} ${value}: ${meaning}`;
      return { id: 'redis-settings', severity, where, message, ...(hint === '' ? {} : { hint }) };
    });
    // Masters of a Cluster are mostly set up alike: once is enough.
    return lines.filter((line, at) => lines.findIndex(({ message }) => message === line.message) === at);
  } catch (error) {
    // That it does not answer is said elsewhere.
    if (error instanceof DrError && error.code === 'STORE_UNREACHABLE') return [];
    throw error;
  }
}
