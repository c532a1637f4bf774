import type { Deployment } from './config.ts';

/** Every worker that serves a component of some site of a deployment, each once; a site's own before its others. */
export function workersOfSites({ sites }: Pick<Deployment, 'sites'>): string[] {
  const all = Object.values(sites).flatMap((site) => [
    site.worker,
    ...[site.redis, site.database, site.dashboard, ...site.gateways, site.pump].map((part) => part?.worker),
  ]);
  return [...new Set(all)].filter((name) => name !== undefined);
}
