import type { Connection } from '../adapters/postgres/client.ts';
import type { RedisEndpoint } from '../adapters/redis/client.ts';
import { Secret } from '../domain/secret.ts';
import { readKey } from './keys.ts';
import { sitePort, type Lab, type SiteName } from './layout.ts';

/** How the lab itself reaches the stores of a site. */

const DATABASE = 'tyk_analytics';

/** The superuser of a site's PostgreSQL. */
export async function superuserOf(lab: Lab, site: SiteName, database = DATABASE): Promise<Connection> {
  return {
    ...address(lab, site),
    user: 'postgres',
    database,
    password: await key(lab, 'postgres-admin-password'),
  };
}

/** The user that Dashboard and Pump have. */
export async function tykUserOf(lab: Lab, site: SiteName): Promise<Connection> {
  return {
    ...address(lab, site),
    user: 'tyk',
    database: DATABASE,
    password: await key(lab, 'postgres-tyk-password'),
  };
}

export async function redisOf(lab: Lab, site: SiteName): Promise<RedisEndpoint> {
  return { port: sitePort(lab, site, 'redis'), password: await key(lab, `${site}-redis-password`) };
}

function address(lab: Lab, site: SiteName): { host: string; port: number } {
  return { host: '127.0.0.1', port: sitePort(lab, site, 'postgres') };
}

async function key(lab: Lab, name: Parameters<typeof readKey>[1]): Promise<Secret> {
  return new Secret(await readKey(lab, name));
}
