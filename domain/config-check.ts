import { noticesReachSomebody } from './config-check-notify.ts';
import { approvalsAreSound } from './config-check-approvals.ts';
import { drillIsApart } from './config-check-drill.ts';
import { monitorIsSound } from './config-check-monitor.ts';
import { schedulesAreSound } from './config-check-schedules.ts';
import { calendarIsSound } from './config-check-calendar.ts';
import { rolesAreSound } from './config-check-roles.ts';
import { replicationIsSound } from './config-check-replication.ts';
import { trafficIsSound } from './config-check-traffic.ts';
import { isOneServer } from './redis-kind.ts';
import type { Config, Deployment, Site } from './config.ts';
import { redisDatabasesAreAlike, redisIsSound } from './config-check-redis.ts';

/** What one field alone cannot show: contradictions between parts of a configuration that has the right shape. */

export interface ConfigProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Every contradiction, each with the path of the field to change; none where the configuration is sound. */
export function checkConfig(config: Config): ConfigProblem[] {
  if (Object.keys(config.deployments).length === 0) {
    return [{ path: ['deployments'], message: 'none is declared; expected at least one deployment' }];
  }
  return Object.entries(config.deployments).flatMap(([name, deployment]) =>
    checkDeployment(deployment).map(({ path, message }) => ({
      path: ['deployments', name, ...path],
      message,
    })),
  );
}

function checkDeployment(deployment: Deployment): ConfigProblem[] {
  const sites = Object.entries(deployment.sites);
  if (sites.length === 0) {
    return [{ path: ['sites'], message: 'none is declared; expected at least one site' }];
  }
  return [
    ...trafficIsSound(deployment),
    ...databaseHasRepository(deployment),
    ...sitesAreAlike(deployment),
    ...redisDatabasesAreAlike(deployment),
    ...probesCanProve(deployment),
    ...duplicates(deployment.backup.recipients).map((index) => ({
      path: ['backup', 'recipients', index],
      message: 'the same recipient again; expected different ones, one of them offline',
    })),
    ...sites.flatMap(([name, site]) =>
      [
        ...duplicates(site.gateways.map((gateway) => gateway.name)).map((index) => ({
          path: ['gateways', index, 'name'],
          message: `'${site.gateways[index]!.name}' again; expected a name of its own for each Gateway`,
        })),
        ...addressesAreDistinct(site),
        ...foldersAreDistinct(site),
        ...methodHasItsFields(site),
        ...redisIsSound(site.redis, deployment.strategy),
      ].map((problem) => ({ ...problem, path: ['sites', name, ...problem.path] })),
    ),
    ...backupsLieOutside(deployment),
    ...schedulesAreSound(deployment),
    ...noticesReachSomebody(deployment),
    ...approvalsAreSound(deployment),
    ...rolesAreSound(deployment),
    ...calendarIsSound(deployment),
    ...drillIsApart(deployment),
    ...replicationIsSound(deployment),
    ...monitorIsSound(deployment),
  ];
}

function databaseHasRepository({ sites, backup }: Deployment): ConfigProblem[] {
  const withDatabase = Object.keys(sites).find((name) => sites[name]!.database?.method === 'pgbackrest');
  if (withDatabase === undefined || backup.pgbackrest) return [];
  return [
    {
      path: ['backup', 'pgbackrest'],
      message: `missing; expected one, as the database of site ${withDatabase} has the method pgbackrest`,
    },
  ];
}

/** Physical backups are made of files: of the cluster, and of pgBackRest. */
function methodHasItsFields({ database }: Site): ConfigProblem[] {
  if (database?.method !== 'pgbackrest') return [];
  return (['service', 'dataDir', 'pgbackrest'] as const)
    .filter((field) => database[field] === undefined)
    .map((field) => ({
      path: ['database', field],
      message: `missing; expected one, as the method is pgbackrest`,
    }));
}

const KINDS = ['redis', 'database', 'dashboard', 'pump'] as const;

/** A backup of one site is restored on another: what the one has, the other needs. */
function sitesAreAlike({ sites }: Deployment): ConfigProblem[] {
  const [first, ...others] = Object.entries(sites);
  const method = first![1].database?.method;
  const otherwise = others.filter(([, { database }]) => database && method && database.method !== method);
  return [
    ...otherwise.map(([name]) => ({
      path: ['sites', name, 'database', 'method'],
      message: `site ${first![0]} has ${method}; expected the same method on every site: a set is restored by the method that made it`,
    })),
    ...others.flatMap(([name, site]) =>
      KINDS.filter((kind) => Boolean(site[kind]) !== Boolean(first![1][kind])).map((kind) => ({
        path: ['sites', name, kind],
        message: site[kind]
          ? `site ${first![0]} has none; expected the same components on every site`
          : `missing; expected the same components on every site, and ${first![0]} has one`,
      })),
    ),
  ];
}

function probesCanProve({ probes }: Deployment): ConfigProblem[] {
  const repeated = duplicates(probes.map((probe) => probe.name)).map((index) => ({
    path: ['probes', index, 'name'],
    message: `'${probes[index]!.name}' again; expected a name of its own for each probe`,
  }));
  const keyless = probes.flatMap((probe, index) =>
    probe.proves === 'api' || probe.key !== undefined
      ? []
      : [
          {
            path: ['probes', index, 'key'],
            message: `missing; a probe that proves ${probe.proves} sends a key`,
          },
        ],
  );
  return [...repeated, ...keyless];
}

/** Two components on one worker's host cannot listen on the same address. */
function addressesAreDistinct(site: Site): ConfigProblem[] {
  const taken = new Map<string, string>();
  return listeners(site).flatMap(({ path, worker, host, port }) => {
    const address = `${host === 'localhost' ? '127.0.0.1' : host}:${port}`;
    const holder = taken.get(`${worker} ${address}`);
    if (holder !== undefined) return [{ path, message: `${address} is already that of ${holder}` }];
    taken.set(`${worker} ${address}`, path.slice(0, -1).join('.'));
    return [];
  });
}

interface Listener {
  readonly path: readonly (string | number)[];
  readonly worker: string;
  readonly host: string;
  readonly port: number;
}

function listeners(site: Site): Listener[] {
  const stores = (['redis', 'database'] as const).flatMap((kind) => {
    const store = site[kind];
    // What listens elsewhere, or is no one server, takes no port of this host.
    if (!store?.service || ('cluster' in store && !isOneServer(store))) return [];
    return [
      { path: [kind, 'port'], worker: store.worker ?? site.worker, host: store.host, port: store.port },
    ];
  });
  const services = [
    { path: ['dashboard', 'url'], of: site.dashboard },
    { path: ['pump', 'url'], of: site.pump },
    ...site.gateways.map((gateway, index) => ({ path: ['gateways', index, 'url'], of: gateway })),
  ].flatMap(({ path, of }) => {
    if (of?.url === undefined) return [];
    const { hostname, port, protocol } = new URL(of.url);
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    return [{ path, worker: of.worker ?? site.worker, host: hostname, port: number }];
  });
  return [...stores, ...services];
}

/** What is restored is renamed into its place: a folder inside another would go with it, or twice. */
function foldersAreDistinct(site: Site): ConfigProblem[] {
  const data = (['redis', 'database'] as const).flatMap((kind) => {
    const store = site[kind];
    return store?.dataDir !== undefined
      ? [{ path: [kind, 'dataDir'], worker: store.worker ?? site.worker, folder: store.dataDir }]
      : [];
  });
  const all = [
    ...data,
    ...(site.dashboard ? [treeOf(['dashboard', 'root'], site.dashboard, site)] : []),
    ...site.gateways.map((gateway, index) => treeOf(['gateways', index, 'root'], gateway, site)),
    ...(site.pump ? [treeOf(['pump', 'root'], site.pump, site)] : []),
  ];
  return data.flatMap((store) =>
    all
      .filter(
        (other) => other !== store && other.worker === store.worker && overlap(store.folder, other.folder),
      )
      .map((other) => ({
        path: store.path,
        message: `'${store.folder}' and '${other.folder}' of ${other.path.slice(0, -1).join('.')} overlap; expected a folder of its own`,
      })),
  );
}

function treeOf(path: (string | number)[], tree: { root: string; worker?: string | undefined }, site: Site) {
  return { path, worker: tree.worker ?? site.worker, folder: tree.root };
}

function overlap(a: string, b: string): boolean {
  const [left, right] = [a, b].map((folder) => `${folder.replace(/\/+$/, '')}/`) as [string, string];
  return left.startsWith(right) || right.startsWith(left);
}

/** Losing a site must not lose its backups or the journal of its loss, and a restore must not replace them. */
function backupsLieOutside({ backup, beacon, sites }: Deployment): ConfigProblem[] {
  const repositories = [
    { path: ['backup', 'repository'], folder: backup.repository },
    ...(backup.pgbackrest
      ? [{ path: ['backup', 'pgbackrest', 'repository'], folder: backup.pgbackrest.repository }]
      : []),
    ...(backup.git?.repository.startsWith('/')
      ? [{ path: ['backup', 'git', 'repository'], folder: backup.git.repository }]
      : []),
    ...(beacon?.journal ?? []).map((folder, index) => ({ path: ['beacon', 'journal', index], folder })),
  ];
  return repositories.flatMap(({ path, folder }) =>
    Object.entries(sites).flatMap(([name, site]) =>
      foldersOf(site)
        .filter((own) => `${folder}/`.startsWith(`${own.replace(/\/+$/, '')}/`))
        .map((own) => ({
          path,
          message: `'${folder}' lies in ${own}, a folder of site ${name}; expected one outside every site`,
        })),
    ),
  );
}

function foldersOf(site: Site): string[] {
  const folders = [
    site.stateDir,
    site.redis?.dataDir,
    site.database?.dataDir,
    site.dashboard?.root,
    site.pump?.root,
    ...site.gateways.map((gateway) => gateway.root),
  ];
  return [...new Set(folders.filter((folder) => folder !== undefined))];
}

/** Positions of the values that stood earlier in the list already. */
function duplicates(values: readonly string[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}
