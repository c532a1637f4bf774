import type { Deployment } from './config.ts';

/** What a `traffic:` section is called, and what of it belongs to a site, in words for people. Pure. */

type Traffic = NonNullable<Deployment['traffic']>;

export function nameOfTraffic(traffic: Traffic): string {
  switch (traffic.kind) {
    case 'haproxy':
      return traffic.backend;
    case 'dns':
      return `${traffic.name} ${traffic.type} at ${traffic.server}`;
    case 'command':
      return `by ${traffic.switch[0]}`;
  }
}

/** The servers or records of a site; where a command knows them, the site itself. */
export function ownOf(traffic: Traffic, site: string): readonly string[] {
  switch (traffic.kind) {
    case 'haproxy':
      return traffic.servers[site] ?? [];
    case 'dns':
      return traffic.records[site] ?? [];
    case 'command':
      return [site];
  }
}

/** As a server spells a name, so that both can be compared. */
export const absolute = (name: string): string => `${name.replace(/\.$/, '').toLowerCase()}.`;

/** Records sorted, each once, and as name servers write them. */
export function spelledRecords(type: 'A' | 'AAAA' | 'CNAME', records: readonly string[]): string[] {
  const one = (record: string): string => {
    if (type === 'CNAME') return absolute(record);
    // An IPv6 address is written short, in lower case.
    return type === 'AAAA' ? new URL(`http://[${record}]`).hostname.slice(1, -1) : record;
  };
  return [...new Set(records.map(one))].sort();
}
