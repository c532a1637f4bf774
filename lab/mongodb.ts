import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Db } from 'mongodb';
import { waitReady, withDatabase, type MongoEndpoint } from '../adapters/mongodb/client.ts';
import { siteDir, sitePort, type Lab, type SiteName } from './layout.ts';
import { declareService, start } from './services.ts';

/** The lab's MongoDB: FerretDB, which the set-up has built. It has no users, no replication, no TTL indexes. */

const VERSION = '1.24.2-2';

export const ferretdbBinary = (): string =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tyk-dr', 'bin', `ferretdb-${VERSION}`);

/** How it is started; it makes the folder. */
export function ferretdbCommand(dir: string, port: number | string): [string, ...string[]] {
  return [ferretdbBinary(), '--listen', `127.0.0.1:${port}`, '--dir', dir];
}

const DATABASE = 'tyk_analytics';
const START_TIMEOUT_MS = 30_000;

export const mongoUrl = (lab: Lab, site: SiteName): string =>
  `mongodb://127.0.0.1:${sitePort(lab, site, 'mongodb')}/${DATABASE}`;

const endpoint = (lab: Lab, site: SiteName): MongoEndpoint => ({
  host: '127.0.0.1',
  port: sitePort(lab, site, 'mongodb'),
  database: DATABASE,
});

/** Runs some work on the database of a site. */
export function withMongo<T>(lab: Lab, site: SiteName, work: (db: Db) => Promise<T>): Promise<T> {
  return withDatabase(endpoint(lab, site), work);
}

/** The server makes its folder anew where a lost disk has taken it. */
export async function declareMongo(lab: Lab, site: SiteName): Promise<void> {
  await mkdir(siteDir(lab, site, 'mongodb'), { recursive: true });
  const argv = ferretdbCommand(siteDir(lab, site, 'mongodb', 'data'), sitePort(lab, site, 'mongodb'));
  await declareService(lab, { name: `${site}-mongodb`, site, argv });
}

export async function startEmptyMongo(lab: Lab, site: SiteName): Promise<void> {
  const data = siteDir(lab, site, 'mongodb', 'data');
  await rm(data, { recursive: true, force: true });
  await startMongo(lab, site);
}

export async function startMongo(lab: Lab, site: SiteName): Promise<void> {
  await start(lab, `${site}-mongodb`);
  await (await waitReady(endpoint(lab, site), START_TIMEOUT_MS)).close();
}
