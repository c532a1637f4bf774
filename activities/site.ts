import { addressesOf, type Address } from '../domain/addresses.ts';
import type { Component } from '../domain/run.ts';
import type { Deployment, GatewayConfig, Site } from '../domain/config.ts';
import type { ServiceTarget } from '../adapters/service/service.ts';

/** The services of a site, in the order in which they start. Stopping goes the other way. */

export interface SiteService extends ServiceTarget {
  readonly component: Component;
  /** The worker on whose host its commands run. */
  readonly worker: string;
}

/** What to choose of a site's services; everything where it says nothing. */
export interface Choice {
  readonly component?: Component | undefined;
  readonly worker?: string;
}

export function servicesOf(siteName: string, site: Site, { component, worker }: Choice = {}): SiteService[] {
  const all: SiteService[] = [];
  const add = (kind: Component, name: string, of: Served): void => {
    all.push({
      component: kind,
      name,
      site: siteName,
      service: of.service,
      worker: of.worker ?? site.worker,
    });
  };
  // What is managed always runs: nobody here starts or stops it.
  if (site.redis?.service) add('redis', 'redis', { ...site.redis, service: site.redis.service });
  if (site.database?.service)
    add('database', 'database', { ...site.database, service: site.database.service });
  if (site.dashboard) add('dashboard', 'dashboard', site.dashboard);
  for (const gateway of site.gateways) add('gateway', `gateway ${gateway.name}`, gateway);
  if (site.pump) add('pump', 'pump', site.pump);
  return all.filter(
    (service) =>
      (component === undefined || service.component === component) &&
      (worker === undefined || service.worker === worker),
  );
}

interface Served {
  readonly service: SiteService['service'];
  readonly worker?: string | undefined;
}

/** The Gateways on the host of this worker. */
export function gatewaysOn(worker: string, site: Site): GatewayConfig[] {
  return site.gateways.filter((gateway) => (gateway.worker ?? site.worker) === worker);
}

/** A component that has a configuration of Tyk's. */
export interface Tree {
  readonly name: string;
  readonly kind: 'gateway' | 'dashboard' | 'pump';
  readonly root: string;
  readonly config: string;
  readonly include: readonly string[];
  readonly url: string | undefined;
}

/** Those on the host of this worker. */
export function treesOn(worker: string, site: Site): Tree[] {
  const { dashboard, pump } = site;
  return [
    ...gatewaysOn(worker, site).map((each) => ({ ...each, kind: 'gateway' as const, url: each.url })),
    ...(dashboard && serves(worker, site, dashboard)
      ? [{ ...dashboard, kind: 'dashboard' as const, name: 'dashboard' }]
      : []),
    ...(pump && serves(worker, site, pump)
      ? [{ ...pump, kind: 'pump' as const, name: 'pump', url: pump.url }]
      : []),
  ];
}

/** Where the components answer of which this worker serves some. */
export function addressesOn(worker: string, siteName: string, site: Site): Address[] {
  const here = new Set<string>(servicesOf(siteName, site, { worker }).map(({ component }) => component));
  return addressesOf(site).filter(({ component }) => here.has(component));
}

/** Whether this worker serves a component that the site may lack. */
export function serves(
  worker: string,
  site: Site,
  component: { readonly worker?: string | undefined } | undefined,
): boolean {
  return component !== undefined && (component.worker ?? site.worker) === worker;
}

export function serviceOf(siteName: string, site: Site, component: Component): SiteService {
  const found = servicesOf(siteName, site, { component })[0];
  if (!found) throw new Error(`site ${siteName} has no ${component}`);
  return found;
}

/** The Gateway of the source whose configuration a target's Gateway takes over: of the same name, else the first. */
export function counterpart(deployment: Deployment, fromSite: string, name: string): GatewayConfig {
  const { gateways } = deployment.sites[fromSite]!;
  return gateways.find((gateway) => gateway.name === name) ?? gateways[0]!;
}
