import { addressesOf, SENTINEL, type Address } from '../../domain/addresses.ts';
import { isOneServer } from '../../domain/redis-kind.ts';
import type { Deployment, Site } from '../../domain/config.ts';
import { isSecretRef, type SecretRef } from '../../domain/secret.ts';

/** What a script has to know of a deployment, out of its configuration. Pure. */

/** Why no script can recover this site; empty where one can. */
export function byHand(deployment: Deployment, siteName: string): string[] {
  const site = deployment.sites[siteName]!;
  const reasons: string[] = [];
  const { redis, database } = site;
  if (redis?.cluster) reasons.push('its Redis is a Cluster');
  else if (redis?.sentinel) reasons.push('its Redis is behind Sentinels');
  else if (redis?.method === 'files' && !redis.service)
    reasons.push('its Redis is restored by files, and not started and stopped from here');
  if (database?.kind === 'mongodb') reasons.push('its database is a MongoDB');
  else if (database?.method === 'pgbackrest' && !database.service)
    reasons.push('its database is restored by files, and not started and stopped from here');
  const workers = workersOf(site);
  if (workers.length > 1) reasons.push(`it lives on several hosts (workers ${workers.join(', ')})`);
  return reasons;
}

export function workersOf(site: Site): string[] {
  return [...new Set([site.worker, ...componentsOf(site).map(([, worker]) => worker)])];
}

/** Each component, and the worker on its host. */
export function componentsOf(site: Site): [string, string][] {
  const all: [string, { worker?: string | undefined } | undefined][] = [
    ['redis', site.redis],
    ['database', site.database],
    ['dashboard', site.dashboard],
    ...site.gateways.map((gateway): [string, typeof gateway] => [`gateway ${gateway.name}`, gateway]),
    ['pump', site.pump],
  ];
  return all.flatMap(([name, component]) => (component ? [[name, component.worker ?? site.worker]] : []));
}

/** One component's folder: `dashboard`, `gateway-gw1`, `pump`; the object of the set has the same name. */
export interface TreeFacts {
  readonly name: string;
  readonly kind: 'dashboard' | 'gateway' | 'pump';
  readonly root: string;
  readonly config: string;
  /** The configuration file and what else belongs to it; none lies in another. */
  readonly entries: readonly string[];
  readonly listen?: string;
}

export function treesOf(site: Site): TreeFacts[] {
  return [
    ...(site.dashboard ? [treeOf('dashboard', 'dashboard', site.dashboard)] : []),
    ...site.gateways.map((gateway) => treeOf(`gateway-${gateway.name}`, 'gateway', gateway)),
    ...(site.pump ? [treeOf('pump', 'pump', site.pump)] : []),
  ];
}

interface Tree {
  readonly root: string;
  readonly config: string;
  readonly include: readonly string[];
  readonly url?: string | undefined;
}

function treeOf(name: string, kind: TreeFacts['kind'], { root, config, include, url }: Tree): TreeFacts {
  const plain = [...new Set([config, ...include].map((entry) => entry.replace(/\/+$/, '')))];
  const entries = plain.filter((entry) => !plain.some((other) => entry.startsWith(`${other}/`)));
  return { name, kind, root, config, entries, ...(url === undefined ? {} : { listen: url }) };
}

/** Where a configuration must point: what `rewrite.jq` is told as `$to`. No secret is in it. */
export function endpointsOf(site: Site, tree: TreeFacts): Record<string, unknown> {
  const { redis, database, dashboard, gateways } = site;
  const gateway = gateways[0] && new URL(gateways[0].url);
  return {
    root: tree.root,
    ...(tree.listen === undefined ? {} : { listenPort: Number(portOf(new URL(tree.listen))) }),
    ...(redis
      ? {
          redis: {
            host: redis.host,
            port: redis.port,
            database: redis.database,
            ...(redis.username === undefined ? {} : { username: redis.username }),
            ...(redis.tls ? { tls: { ca: redis.tls.ca, cert: redis.tls.cert, key: redis.tls.key } } : {}),
          },
        }
      : {}),
    ...(database?.kind === 'postgresql'
      ? { database: { host: database.host, port: database.port, name: database.name, user: database.user } }
      : {}),
    ...(dashboard ? { dashboardUrl: dashboard.url } : {}),
    ...(gateway
      ? { gateway: { host: `${gateway.protocol}//${gateway.hostname}`, port: portOf(gateway) } }
      : {}),
  };
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

/** The secrets that go into configurations, by the names that `rewrite.jq` knows. */
export function namedSecrets({ secrets }: Deployment, { redis, database }: Site): [string, SecretRef][] {
  const all: [string, string | undefined][] = [
    ['gateway', secrets.gateway],
    ['node', secrets.node],
    ['admin', secrets.admin],
    ['certificate', secrets.certificate],
    ['redis', redis?.password],
    ['database', database?.password],
  ];
  return all.filter((each): each is [string, SecretRef] => each[1] !== undefined);
}

/** Every secret that the run needs, so that a missing one is found before anything changes. */
export function everySecret(deployment: Deployment, site: Site): string[] {
  const { database, dashboard } = site;
  const all = [
    ...namedSecrets(deployment, site).map(([, reference]) => reference),
    dashboard?.accessKey,
    database?.kind === 'postgresql' ? database.admin.password : undefined,
    deployment.backup.pgbackrest?.passphrase,
    deployment.analytics?.key,
    deployment.traffic?.kind === 'dns' ? deployment.traffic.key.secret : undefined,
    ...deployment.probes.map(({ key }) => key),
  ];
  return [...new Set(all.filter((reference) => reference !== undefined))];
}

/** What fetching from the off-site copies needs. */
export function copySecrets({ backup }: Deployment): string[] {
  return backup.copies.flatMap(({ remote }) =>
    typeof remote === 'string'
      ? []
      : Object.values(remote.options).filter(
          (value): value is string => typeof value === 'string' && isSecretRef(value),
        ),
  );
}

/** The stores that others run: they answer all the time, whether the site serves or not. */
export function managedOf({ redis, database }: Site): string[] {
  return [
    ...(redis && (!redis.service || !isOneServer(redis)) ? ['redis'] : []),
    ...(database && !database.service ? ['database'] : []),
  ];
}

/** Addresses at which nothing answers once the site is stopped. */
export function ownAddresses(site: Site): Address[] {
  const managed = [...managedOf(site), SENTINEL];
  return addressesOf(site).filter(({ component }) => !managed.includes(component));
}

/** Addresses of one site that are not also another's. */
export function addressesOnlyOf(site: Site, other: Site): Address[] {
  const shared = new Set(addressesOf(other).map(({ host, port }) => `${host}:${port}`));
  return addressesOf(site).filter(({ host, port }) => !shared.has(`${host}:${port}`));
}
