import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../adapters/host/free-port.ts';
import type { Strategy } from '../domain/strategy.ts';
import type { ScaleName } from './seed/definitions.ts';

/** Where everything of a lab lies and which ports it uses. Kept in `lab.json`, so that every command finds it again. */

export const SITES = ['primary', 'dr'] as const;
export type SiteName = (typeof SITES)[number];
export const GATEWAYS = ['gw1', 'gw2'] as const;

/** Each has a port. */
export const SITE_SERVICES = ['redis', 'postgres', 'mongodb', 'dashboard', ...GATEWAYS, 'pump'] as const;
export type SiteServiceName = (typeof SITE_SERVICES)[number];
export const PORT_NAMES = [
  'temporal',
  'temporal-ui',
  'traffic',
  'upstream',
  ...SITES.flatMap((site) => SITE_SERVICES.map((port) => `${site}-${port}` as const)),
] as const;
export type PortName = (typeof PORT_NAMES)[number];

/** With a Dashboard and its database, or Gateways alone that read their definitions from files. */
export const MODES = ['dashboard', 'files'] as const;
export type Mode = (typeof MODES)[number];

/** What the Dashboard and the Pump keep their data in. */
export const DATABASES = ['postgresql', 'mongodb'] as const;
export type Database = (typeof DATABASES)[number];

/** How its PostgreSQL is backed up. */
export const DATABASE_METHODS = ['pgbackrest', 'dump'] as const;
export type DatabaseMethodName = (typeof DATABASE_METHODS)[number];

export const DEFAULT_SEED = 42;

/** What the lab is made of; the same on every `lab up`. */
export interface LabChoices {
  readonly mode: Mode;
  readonly database: Database;
  readonly databaseMethod: DatabaseMethodName;
  /** With another one than backup-restore dr may follow primary: `tyk-dr replicate` makes it. */
  readonly strategy: Strategy;
  /** What another configuration wants of its deployment: see wishes.ts. */
  readonly wishes?: Readonly<Record<string, unknown>>;
  /** The number that all seeded data come from. */
  readonly seed: number;
  readonly scale: ScaleName;
}

export interface Lab extends LabChoices {
  readonly dir: string;
  readonly ports: Readonly<Record<PortName, number>>;
  readonly deployment: string;
  /** How often each site was filled from nothing: each time it gets a pgBackRest repository of its own. */
  readonly founded: Readonly<Partial<Record<SiteName, number>>>;
  /** A real Gateway, from TYK_GATEWAY_BIN when the lab was made; else the stand-in. */
  readonly gatewayBinary?: string;
  /** How long a stand-in that has just started hears no notification, from TYK_DR_LAB_DEAF_MS; else as the real one. */
  readonly gatewayDeafMs?: number;
  /** Proofs of sets start no Dashboard and no Gateway: TYK_DR_LAB_BARE_PROOF was set when the lab was made. */
  readonly bareProof?: true;
  /** How long a load is sent after a recovery, from TYK_DR_LAB_LOAD when the lab was made; else ten seconds. */
  readonly loadTime?: string;
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
export async function makeLab(
  dir: string,
  ports: Partial<Record<PortName, number>>,
  choices: Partial<LabChoices> = {},
): Promise<Lab> {
  const wanted = PORT_NAMES.filter((name) => ports[name] === undefined);
  const free = await freePorts(wanted.length);
  const chosen = Object.fromEntries(wanted.map((name, index) => [name, free[index]!]));
  const gatewayBinary = process.env['TYK_GATEWAY_BIN'];
  const gatewayDeafMs = process.env['TYK_DR_LAB_DEAF_MS'];
  const lab: Lab = {
    dir,
    mode: 'dashboard',
    database: 'postgresql',
    databaseMethod: 'pgbackrest',
    strategy: 'backup-restore',
    seed: DEFAULT_SEED,
    scale: 'default',
    ...choices,
    ports: { ...ports, ...chosen } as Record<PortName, number>,
    deployment: 'acme',
    founded: {},
    ...(gatewayBinary ? { gatewayBinary } : {}),
    ...(gatewayDeafMs ? { gatewayDeafMs: Number(gatewayDeafMs) } : {}),
    ...(process.env['TYK_DR_LAB_BARE_PROOF'] ? { bareProof: true as const } : {}),
    ...(process.env['TYK_DR_LAB_LOAD'] ? { loadTime: process.env['TYK_DR_LAB_LOAD'] } : {}),
    ...(process.getuid?.() === 0 ? { storeUser: 'postgres' } : {}),
  };
  await mkdir(dir, { recursive: true, mode: 0o755 });
  await saveLab(lab);
  return lab;
}

export async function saveLab(lab: Lab): Promise<void> {
  await writeFile(join(lab.dir, 'lab.json.new'), JSON.stringify(lab, undefined, 2));
  await rename(join(lab.dir, 'lab.json.new'), join(lab.dir, 'lab.json'));
}

/** The services of a site that make up the deployment, in the order in which they start. */
export function siteServices({ mode, database }: Lab): readonly SiteServiceName[] {
  if (mode === 'files') return ['redis', ...GATEWAYS];
  const store = database === 'mongodb' ? 'mongodb' : 'postgres';
  return ['redis', store, 'dashboard', ...GATEWAYS, 'pump'];
}

/** Whether a site has one, and it is of this kind. */
export function hasDatabase({ mode, database }: Lab, kind: Database): boolean {
  return mode === 'dashboard' && database === kind;
}

export const sitePort = (lab: Lab, site: SiteName, port: SiteServiceName): number =>
  lab.ports[`${site}-${port}`];
export const siteDir = (lab: Lab, site: SiteName, ...parts: string[]): string =>
  join(lab.dir, 'sites', site, ...parts);
/** What must survive the loss of a site: repository, witness, journal. */
export const outside = (lab: Lab, ...parts: string[]): string => join(lab.dir, 'outside', ...parts);
export const configFile = (lab: Lab): string => join(lab.dir, 'tyk-dr.yaml');
export const keyFile = (lab: Lab, name: string): string => join(lab.dir, 'keys', name);
export const localUrl = (port: number): string => `http://127.0.0.1:${port}`;
