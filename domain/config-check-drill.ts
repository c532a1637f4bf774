import { addressesOf } from './addresses.ts';
import type { Deployment, Site } from './config.ts';
import type { ConfigProblem } from './config-check.ts';

/** A site for drills that is not apart from the others: a drill there would be no drill. */
export function drillIsApart({ drill, sites }: Deployment): ConfigProblem[] {
  if (!drill) return [];
  const own = sites[drill.site];
  const path = ['drill', 'site'];
  if (!own)
    return [
      {
        path,
        message: `no site is called '${drill.site}'; expected one of ${Object.keys(sites).join(', ')}`,
      },
    ];
  return Object.entries(sites)
    .filter(([name]) => name !== drill.site)
    .flatMap(([name, other]) =>
      sharedBy(own, other).map((what) => ({
        path,
        message: `${drill.site} and ${name} share ${what}; expected a site with addresses and folders of its own`,
      })),
    );
}

/** What two sites have in common that a drill on the one would change for the other. */
export function sharedBy(one: Site, other: Site): string[] {
  const there = new Set(addressesOf(other).map(({ host, port }) => `${host}:${port}`));
  const addresses = addressesOf(one)
    .filter(({ host, port }) => there.has(`${host}:${port}`))
    .map(({ name, host, port }) => `the address ${host}:${port} (${name})`);
  // Folders are those of a host: the same path on another host is another folder.
  const folders = foldersOf(other);
  const shared = foldersOf(one)
    .filter((mine) => folders.some((theirs) => theirs.worker === mine.worker && theirs.path === mine.path))
    .map(({ path }) => `the folder ${path}`);
  return [...addresses, ...shared];
}

/** Every folder of a site that a recovery writes to, with the worker on whose host it lies. */
export function foldersOf(site: Site): { readonly worker: string; readonly path: string }[] {
  const { worker: lead } = site;
  return [
    { worker: lead, path: site.stateDir },
    ...[site.redis, site.database].flatMap((store) =>
      store?.dataDir === undefined ? [] : [{ worker: store.worker ?? lead, path: store.dataDir }],
    ),
    ...[site.dashboard, ...site.gateways, site.pump].flatMap((tree) =>
      tree === undefined ? [] : [{ worker: tree.worker ?? lead, path: tree.root }],
    ),
  ];
}
