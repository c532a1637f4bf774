import { createHash } from 'node:crypto';
import type { Deployment } from '../../domain/config.ts';

/**
 * Digest of what the sites of a deployment share: objectives, probes, the shape of every site. Not a site's own
 * paths, ports and commands, so that two workers whose hosts are laid out differently still agree.
 */
export function configDigest(deployment: Deployment): string {
  const { sites, backup, traffic, ...shared } = deployment;
  const shapes = Object.fromEntries(
    Object.entries(sites).map(([name, site]) => [
      name,
      {
        worker: site.worker,
        redis: site.redis?.worker ?? Boolean(site.redis),
        database: site.database ? [site.database.kind, site.database.name] : false,
        dashboard: site.dashboard?.worker ?? Boolean(site.dashboard),
        gateways: site.gateways.map((gateway) => gateway.name),
        pump: site.pump?.worker ?? Boolean(site.pump),
      },
    ]),
  );
  const agreed = {
    ...shared,
    shapes,
    recipients: backup.recipients,
    trustedKeys: backup.trustedKeys,
    traffic: traffic && {
      kind: traffic.kind,
      backend: traffic.backend,
      servers: traffic.servers,
      url: traffic.url,
    },
  };
  return createHash('sha256').update(canonical(agreed)).digest('hex');
}

/** JSON with sorted keys: equal values, equal text. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
