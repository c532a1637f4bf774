import type { RedisConfig, Site } from './config.ts';
import { isOneServer } from './redis-kind.ts';

/** Where the components of a site are reached. An IPv6 address stands in brackets, as in a URL. */

export interface Address {
  readonly component: string;
  /** The component, and which of several. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Where every component of a site answers. */
export function addressesOf(site: Site): Address[] {
  return [
    ...(site.redis ? redisAddresses(site.redis) : []),
    ...(site.database
      ? [{ component: 'database', name: 'database', host: site.database.host, port: site.database.port }]
      : []),
    ...(site.dashboard ? [addressOf('dashboard', site.dashboard.url)] : []),
    ...site.gateways.map((gateway) => addressOf('gateway', gateway.url, `gateway ${gateway.name}`)),
    ...(site.pump?.url === undefined ? [] : [addressOf('pump', site.pump.url)]),
  ];
}

/**
 * The Sentinels, or the nodes that are named of a Cluster, where there is no one server. Sentinels above a server of the
 * site's own are no part of the site: they stand beside it, and run on when it stops.
 */
function redisAddresses(redis: RedisConfig): Address[] {
  const { host, port, sentinel, cluster } = redis;
  const nodes = (sentinel ?? cluster)?.nodes ?? [];
  if (!isOneServer(redis))
    return nodes.map((node) => ({ component: 'redis', name: `redis ${node}`, ...hostPort(node) }));
  return [
    { component: 'redis', name: 'redis', host, port },
    ...nodes.map((node) => ({ component: SENTINEL, name: `sentinel ${node}`, ...hostPort(node) })),
  ];
}

/** The component of such an address. */
export const SENTINEL = 'sentinel';

export function addressOf(component: string, url: string, name = component): Address {
  const { hostname, port, protocol } = new URL(url);
  return {
    component,
    name,
    host: hostname,
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  };
}

export function hostPort(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}
