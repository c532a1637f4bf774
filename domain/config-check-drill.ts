import { addressesOf } from './addresses.ts';
import type { Deployment, Site } from './config.ts';
import type { ConfigProblem } from './config-check.ts';
import { sameHost } from './same-host.ts';
import { serviceCommands } from './service-commands.ts';

/** A site for drills that is not apart from the others: a drill there would be no drill. */
export function drillIsApart({ drill, sites }: Deployment): ConfigProblem[] {
  if (drill?.site === undefined) return [];
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
  const there = new Set(addressesOf(other).map(spelled));
  const addresses = addressesOf(one)
    .filter((address) => there.has(spelled(address)))
    .map(({ name, host, port }) => `the address ${host}:${port} (${name})`);
  // Folders and commands are those of a host: the same on another host are others.
  const folders = pathsOf(other);
  const shared = pathsOf(one)
    .filter((mine) =>
      folders.some((theirs) => theirs.worker === mine.worker && overlap(mine.path, theirs.path)),
    )
    .map(({ path }) => `the folder ${path}`);
  const services = new Set(servicesOf(other).map(({ worker, start }) => JSON.stringify([worker, start])));
  const commands = servicesOf(one)
    .filter(({ worker, start }) => services.has(JSON.stringify([worker, start])))
    .map(({ start }) => `the command ${start.join(' ')}`);
  return [...addresses, ...new Set(shared), ...new Set(commands)];
}

const spelled = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${sameHost(host)}:${port}`;

/** The same, or one within the other. */
function overlap(one: string, other: string): boolean {
  const [mine, theirs] = [one, other].map((path) => `${path}/`.replaceAll(/\/(\.?\/)+/g, '/')) as [
    string,
    string,
  ];
  return mine.startsWith(theirs) || theirs.startsWith(mine);
}

interface Placed {
  readonly worker: string;
}

/** Every folder and file of a site that a recovery writes to, with the worker on whose host it lies. */
function pathsOf(site: Site): (Placed & { readonly path: string })[] {
  const { worker: lead, redis, database } = site;
  const placed = (worker: string | undefined, paths: readonly (string | undefined)[]) =>
    paths.flatMap((path) => (path === undefined ? [] : [{ worker: worker ?? lead, path }]));
  const pgbackrest = database && 'pgbackrest' in database ? database.pgbackrest : undefined;
  return [
    ...placed(lead, [site.stateDir]),
    ...[redis, database].flatMap((store) => placed(store?.worker, [store?.dataDir, store?.configFile])),
    ...placed(database?.worker, [...[pgbackrest?.configFile, pgbackrest?.lockPath, pgbackrest?.spoolPath]]),
    ...[site.dashboard, ...site.gateways, site.pump].flatMap((tree) => placed(tree?.worker, [tree?.root])),
  ];
}

/** What starts the components of a site. */
function servicesOf(site: Site): (Placed & { readonly start: readonly string[] })[] {
  return [site.redis, site.database, site.dashboard, ...site.gateways, site.pump].flatMap((part) =>
    part?.service === undefined
      ? []
      : [{ worker: part.worker ?? site.worker, start: serviceCommands(part.service).start }],
  );
}
