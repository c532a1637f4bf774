import type { Component } from '../domain/run.ts';
import type { Deployment, GatewayConfig, Site } from '../domain/config.ts';
import type { ServiceTarget } from '../adapters/service/service.ts';

/** The services of a site, in the order in which they start. Stopping goes the other way. */

export interface SiteService extends ServiceTarget {
  readonly component: Component;
}

export function servicesOf(siteName: string, site: Site, only?: Component): SiteService[] {
  const all: SiteService[] = [];
  if (site.redis) all.push(entry('redis', 'redis', siteName, site.redis));
  if (site.database) all.push(entry('database', 'database', siteName, site.database));
  if (site.dashboard) all.push(entry('dashboard', 'dashboard', siteName, site.dashboard));
  for (const gateway of site.gateways)
    all.push(entry('gateway', `gateway ${gateway.name}`, siteName, gateway));
  if (site.pump) all.push(entry('pump', 'pump', siteName, site.pump));
  return only === undefined ? all : all.filter((service) => service.component === only);
}

export function serviceOf(siteName: string, site: Site, component: Component): SiteService {
  const found = servicesOf(siteName, site, component)[0];
  if (!found) throw new Error(`site ${siteName} has no ${component}`);
  return found;
}

/** The Gateway of the source whose configuration a target's Gateway takes over: of the same name, else the first. */
export function counterpart(deployment: Deployment, fromSite: string, name: string): GatewayConfig {
  const { gateways } = deployment.sites[fromSite]!;
  return gateways.find((gateway) => gateway.name === name) ?? gateways[0]!;
}

function entry(
  component: Component,
  name: string,
  site: string,
  of: { service: SiteService['service'] },
): SiteService {
  return { component, name, site, service: of.service };
}
