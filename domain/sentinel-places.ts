import { addressesOf, hostPort, SENTINEL } from './addresses.ts';
import type { Deployment } from './config.ts';
import { sameHost } from './same-host.ts';

/** Where the Sentinels stand, as far as the hosts of the configuration tell. Pure. */

export interface SentinelPlace {
  readonly site: string;
  /** How many of them stand on a host of this site, and of no other. */
  readonly here: number;
  readonly all: number;
}

/** Of each site that may be lost, the Sentinels that would go with it. */
export function sentinelPlaces({ sites, drill }: Deployment): SentinelPlace[] {
  const own = Object.entries(sites)
    .filter(([name]) => name !== drill?.site)
    .map(([name, site]) => [name, hostsOf(site)] as const);
  const nodes = Object.values(sites).find(({ redis }) => redis?.sentinel)?.redis?.sentinel?.nodes ?? [];
  const hosts = nodes.map((node) => sameHost(hostPort(node).host));
  return own.map(([site, ofSite]) => ({
    site,
    here: hosts.filter(
      (host) => ofSite.has(host) && !own.some(([name, other]) => name !== site && other.has(host)),
    ).length,
    all: nodes.length,
  }));
}

function hostsOf(site: Deployment['sites'][string]): Set<string> {
  return new Set(
    addressesOf(site)
      .filter(({ component }) => component !== SENTINEL)
      .map(({ host }) => sameHost(host)),
  );
}
