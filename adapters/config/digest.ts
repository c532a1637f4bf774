import { createHash } from 'node:crypto';
import type { Deployment, Site, TrafficConfig } from '../../domain/config.ts';
import type { RecoverPlan } from '../../domain/plan.ts';
import { SECRET_REF } from '../../domain/secret.ts';
import { replicates } from '../../domain/strategy.ts';

/**
 * Digest of what the sites of a deployment share: tier, objectives, proofs, keys that count, and what each site is
 * made of. Not a site's own paths, ports, hosts and commands, nor where a host keeps its secrets, whom it tells, when it
 * makes backups or how it reaches Temporal, so that two workers whose hosts are laid out differently still agree.
 *
 * @returns SHA-256 in hexadecimal
 */
export function configDigest(deployment: Deployment): string {
  // Whom a host tells, and where a client of ours writes what it saw, are the business of that host.
  const {
    sites,
    backup,
    traffic,
    notify: _notify,
    contacts: _contacts,
    vendorSupport: _vendorSupport,
    roles: _roles,
    // Who looks, and how often, changes no recovery.
    monitor: _monitor,
    drill,
    witness,
    beacon,
    strategy,
    ...shared
  } = deployment;
  const agreed = {
    ...shared,
    witness: witness !== undefined,
    ...(beacon && { beacon: true }),
    // As before there were strategies, so that workers of both builds agree.
    ...(replicates(strategy) && { strategy }),
    // When drills are due is no part of what they are.
    ...(drill && { drill: { site: drill.site, limit: drill.limit, halt: drill.halt } }),
    backup: {
      recipients: backup.recipients,
      trustedKeys: backup.trustedKeys,
      stanza: backup.pgbackrest?.stanza,
    },
    traffic: traffic && { kind: traffic.kind, url: traffic.url, ...switchOf(traffic) },
    sites: Object.fromEntries(Object.entries(sites).map(([name, site]) => [name, shapeOf(site)])),
  };
  return createHash('sha256')
    .update(canonical(withoutPlaces(agreed)))
    .digest('hex');
}

/** What leads to which site. How fast, and by which socket, server or program, is the business of one host. */
function switchOf(traffic: TrafficConfig) {
  if (traffic.kind === 'haproxy') return { backend: traffic.backend, servers: traffic.servers };
  if (traffic.kind === 'command') return {};
  const { zone, name, type, records } = traffic;
  return { zone, name, type, records };
}

/** Which components there are, and which worker serves each: a plan is compiled from that. */
function shapeOf(site: Site) {
  const served = (component: { worker?: string | undefined } | undefined): string | undefined =>
    component && (component.worker ?? site.worker);
  return {
    worker: site.worker,
    redis: served(site.redis),
    database: site.database && [
      site.database.kind,
      site.database.method,
      site.database.name,
      served(site.database),
    ],
    dashboard: served(site.dashboard),
    gateways: site.gateways.map((gateway) => [gateway.name, served(gateway)]),
    pump: served(site.pump),
  };
}

/** A reference says where this host keeps a secret. That there is one is shared; the place is not. */
function withoutPlaces(value: unknown): unknown {
  if (typeof value === 'string') return SECRET_REF.test(value) ? 'secret' : value;
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutPlaces(item)]));
}

/**
 * What approvals sign and reports name: the same request compiles to the same plan, and that to the same digest.
 *
 * @returns SHA-256 in hexadecimal
 */
export function planDigest(plan: RecoverPlan): string {
  return createHash('sha256').update(canonical(plan)).digest('hex');
}

/** JSON with sorted keys: equal values, equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
