import type { Deployment } from '../../domain/config.ts';
import { commandDriver } from './command.ts';
import { dnsDriver } from './dns.ts';
import type { At, TrafficDriver } from './driver.ts';
import { haproxyDriver } from './haproxy.ts';

/** @returns undefined where a person points the clients at a site */
export function driverOf({ traffic, sites }: Deployment, at: At): TrafficDriver | undefined {
  switch (traffic?.kind) {
    case undefined:
      return undefined;
    case 'haproxy':
      return haproxyDriver(traffic, at);
    case 'dns':
      return dnsDriver(traffic, at);
    case 'command':
      return commandDriver(traffic, at, Object.keys(sites));
  }
}
