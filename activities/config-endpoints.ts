import type { RedisConfig } from '../domain/config.ts';
import type { Endpoints } from '../domain/tyk-conf.ts';
import type { RedisTarget } from '../domain/tyk-conf-redis.ts';
import { addressesOf } from '../domain/addresses.ts';
import type { Call } from './guard.ts';

/** Where a restored configuration must point, and where it must not. */

export async function targetEndpoints(
  call: Pick<Call, 'target' | 'deployment' | 'secret'>,
  root: string,
  listen: string | undefined,
): Promise<Endpoints> {
  const { target, deployment, secret } = call;
  const { redis, database, dashboard, gateways } = target;
  const { secrets } = deployment;
  return {
    root,
    ...(listen === undefined ? {} : { listen }),
    ...(redis ? { redis: await redisTarget(redis, secret) } : {}),
    ...(database?.kind === 'postgresql'
      ? {
          database: {
            host: database.host,
            port: database.port,
            name: database.name,
            user: database.user,
            password: await secret(database.password),
          },
        }
      : {}),
    ...(database?.kind === 'mongodb'
      ? {
          mongodb: {
            host: database.host,
            port: database.port,
            name: database.name,
            user: database.user,
            authSource: database.authSource,
            replicaSet: database.replicaSet,
            tls: database.tls !== undefined,
            password: database.password === undefined ? undefined : await secret(database.password),
          },
        }
      : {}),
    ...(dashboard ? { dashboardUrl: dashboard.url } : {}),
    ...(gateways[0] ? { gatewayUrl: gateways[0].url } : {}),
    secrets: {
      gateway: await secret(secrets.gateway),
      node: await secret(secrets.node),
      ...(secrets.admin === undefined ? {} : { admin: await secret(secrets.admin) }),
      ...(secrets.certificate === undefined ? {} : { certificate: await secret(secrets.certificate) }),
    },
  };
}

async function redisTarget(redis: RedisConfig, secret: Call['secret']): Promise<RedisTarget> {
  const { host, port, username, password, database, sentinel, cluster, tls } = redis;
  return {
    ...{ host, port, database },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: await secret(password) }),
    ...(cluster ? { cluster } : {}),
    ...(tls ? { tls: tls as NonNullable<RedisTarget['tls']> } : {}),
    ...(sentinel
      ? {
          sentinel: {
            ...{ name: sentinel.name, nodes: sentinel.nodes },
            ...(sentinel.password === undefined ? {} : { password: await secret(sentinel.password) }),
          },
        }
      : {}),
  };
}

/** Every address of the source that is not also one of the target. */
export function sourceAddresses({
  source,
  target,
}: Pick<Call, 'source' | 'target'>): { host: string; port: number }[] {
  const shared = new Set(addressesOf(target).map(({ host, port }) => `${host}:${port}`));
  return addressesOf(source).filter(({ host, port }) => !shared.has(`${host}:${port}`));
}
