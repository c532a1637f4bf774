import { createServer } from 'node:net';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';

/** Where everything of a lab lies and which ports it uses. Kept in `lab.json`, so that every command finds it again. */

export const SITES = ['primary', 'dr'] as const;
export type SiteName = (typeof SITES)[number];
export const GATEWAYS = ['gw1', 'gw2'] as const;

const SITE_PORTS = ['redis', 'postgres', 'dashboard', 'gw1', 'gw2', 'pump'] as const;
export const PORT_NAMES = [
  'temporal',
  'temporal-ui',
  'traffic',
  'upstream',
  ...SITES.flatMap((site) => SITE_PORTS.map((port) => `${site}-${port}` as const)),
] as const;
export type PortName = (typeof PORT_NAMES)[number];

export interface Lab {
  readonly dir: string;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly deployment: string;
  /** The system user of the stores where the lab runs as root; else everything runs as the caller. */
  readonly storeUser?: string;
}

/** Below /var/tmp, not in a home folder: the postgres user must be able to enter, and a reboot keeps it. */
export function defaultLabDir(): string {
  return process.env['TYK_DR_LAB'] ?? `/var/tmp/tyk-dr-lab-${userInfo().uid}`;
}

/** Reads the lab of a folder, or undefined where there is none. */
export async function findLab(dir: string): Promise<Lab | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, 'lab.json'), 'utf8')) as Lab;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Lays out a new lab; ports that are not asked for are free ones. */
export async function makeLab(dir: string, ports: Partial<Record<PortName, number>>): Promise<Lab> {
  const wanted = PORT_NAMES.filter((name) => ports[name] === undefined);
  const free = await freePorts(wanted.length);
  const chosen = Object.fromEntries(wanted.map((name, index) => [name, free[index]!]));
  const lab: Lab = {
    dir,
    ports: { ...ports, ...chosen } as Record<PortName, number>,
    deployment: 'acme',
    ...(process.getuid?.() === 0 ? { storeUser: 'postgres' } : {}),
  };
  await mkdir(dir, { recursive: true, mode: 0o755 });
  await writeFile(join(dir, 'lab.json.new'), JSON.stringify(lab, undefined, 2));
  await rename(join(dir, 'lab.json.new'), join(dir, 'lab.json'));
  return lab;
}

/** Free loopback ports, all held at once so that none comes twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => {
        server.on('error', reject);
        server.listen(0, '127.0.0.1', () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export const sitePort = (lab: Lab, site: SiteName, port: (typeof SITE_PORTS)[number]): number =>
  lab.ports[`${site}-${port}`];
export const siteDir = (lab: Lab, site: SiteName, ...parts: string[]): string =>
  join(lab.dir, 'sites', site, ...parts);
/** What must survive the loss of a site: repository, witness, journal. */
export const outside = (lab: Lab, ...parts: string[]): string => join(lab.dir, 'outside', ...parts);
export const configFile = (lab: Lab): string => join(lab.dir, 'tyk-dr.yaml');
export const keyFile = (lab: Lab, name: string): string => join(lab.dir, 'keys', name);
export const localUrl = (port: number): string => `http://127.0.0.1:${port}`;
