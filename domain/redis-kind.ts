import type { RedisConfig } from './config.ts';

/** What `host` and `port` of a Redis mean. */

type Kind = Pick<RedisConfig, 'method' | 'sentinel' | 'cluster'>;

/** They are its one server; else they are not used, and Sentinels or the nodes of a Cluster are asked instead. */
export function isOneServer({ method, sentinel, cluster }: Kind): boolean {
  return cluster === undefined && (sentinel === undefined || method === 'files');
}

/** Its server is this site's own, and Sentinels say which site's server is the master. */
export function isWatched({ method, sentinel }: Kind): boolean {
  return sentinel !== undefined && method === 'files';
}
