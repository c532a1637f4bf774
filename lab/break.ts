import { existsSync } from 'node:fs';
import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from 'mongodb';
import { withClient } from '../adapters/postgres/client.ts';
import { reload } from '../adapters/tyk/gateway.ts';
import { Secret } from '../domain/secret.ts';
import { readKey } from './keys.ts';
import {
  GATEWAYS,
  hasDatabase,
  localUrl,
  siteDir,
  sitePort,
  siteServices,
  type Lab,
  type SiteName,
} from './layout.ts';
import { withMongo } from './mongodb.ts';
import { pidOf } from './services.ts';
import { superuserOf } from './connections.ts';

/** Ways to break a site. Each is what the real thing would look like from outside; `lab up` undoes it. */

/** SIGKILL to every process of the site, children included. The worker lives on: it stands for the host. */
export async function killSite(lab: Lab, site: SiteName): Promise<string[]> {
  const killed = await Promise.all(
    siteServices(lab).map((service) => killService(lab, `${site}-${service}`)),
  );
  return killed.filter((name) => name !== undefined);
}

/** @returns the name, or undefined where it did not run. */
export async function killService(lab: Lab, name: string): Promise<string | undefined> {
  const pid = await pidOf(lab, name);
  if (pid === undefined) return undefined;
  const family = [...(await descendants(pid)), pid];
  for (const each of family) {
    send(each, 'SIGKILL');
  }
  await awaitGone(family);
  return name;
}

/**
 * A server that is started while its killed predecessor still has a process number refuses that one's lock file: also
 * a zombie has one until it is reaped.
 */
async function awaitGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + GONE_TIMEOUT_MS;
  while (pids.some((pid) => existsSync(`/proc/${pid}`)) && Date.now() < deadline) await sleep(GONE_POLL_MS);
}

/** Freeing a few gigabytes of memory takes a moment; what is not gone after this long never will be. */
const GONE_TIMEOUT_MS = 10_000;
const GONE_POLL_MS = 10;

/** The data of both stores and every restored tree: what a lost disk takes with it. */
export async function wipeData(lab: Lab, site: SiteName): Promise<void> {
  for (const folder of ['redis/data', 'postgres/data', 'mongodb/data', 'dashboard', 'gateways', 'pump']) {
    await rm(siteDir(lab, site, folder), { recursive: true, force: true });
  }
}

/** Somebody deletes half of the APIs: the database obeys, and so does every Gateway. */
export async function deleteApis(lab: Lab, site: SiteName): Promise<number> {
  if (hasDatabase(lab, 'mongodb')) return damageMongo(lab, site, deleteHalf);
  return damage(
    lab,
    site,
    `DELETE FROM tyk_apis WHERE ctid IN (SELECT ctid FROM tyk_apis ORDER BY ctid LIMIT (SELECT count(*) / 2 FROM tyk_apis))`,
  );
}

/** Policies and upstreams that are still valid rows but no longer what anybody wrote. */
export async function corruptRows(lab: Lab, site: SiteName): Promise<number> {
  if (hasDatabase(lab, 'mongodb')) return damageMongo(lab, site, corruptDocuments);
  const policies = await damage(lab, site, `UPDATE tyk_policies SET name = 'corrupt ' || md5(name)`);
  const apis = await damage(
    lab,
    site,
    `UPDATE tyk_apis SET api_definition = jsonb_set(api_definition, '{proxy,target_url}', '"http://127.0.0.1:1/"')`,
  );
  return policies + apis;
}

async function damage(lab: Lab, site: SiteName, statement: string): Promise<number> {
  const rows = await sql(lab, site, statement);
  await markDamaged(lab, site, true);
  await reloadGateways(lab, site);
  return rows;
}

async function damageMongo(lab: Lab, site: SiteName, work: (db: Db) => Promise<number>): Promise<number> {
  const documents = await withMongo(lab, site, work);
  await markDamaged(lab, site, true);
  await reloadGateways(lab, site);
  return documents;
}

async function deleteHalf(db: Db): Promise<number> {
  const apis = await db
    .collection('tyk_apis')
    .find({}, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .toArray();
  const half = apis.slice(0, Math.floor(apis.length / 2)).map(({ _id }) => _id);
  return (await db.collection('tyk_apis').deleteMany({ _id: { $in: half } })).deletedCount;
}

async function corruptDocuments(db: Db): Promise<number> {
  const policies = await db.collection('tyk_policies').updateMany({}, { $set: { name: 'corrupt' } });
  const nowhere = { 'api_definition.proxy.target_url': 'http://127.0.0.1:1/' };
  const apis = await db.collection('tyk_apis').updateMany({}, { $set: nowhere });
  return policies.modifiedCount + apis.modifiedCount;
}

/** `lab up` puts the definitions of a damaged site back. */
export async function markDamaged(lab: Lab, site: SiteName, damaged: boolean): Promise<void> {
  if (damaged) await writeFile(damageMark(lab, site), '');
  else await rm(damageMark(lab, site), { force: true });
}

export function isDamaged(lab: Lab, site: SiteName): Promise<boolean> {
  return access(damageMark(lab, site)).then(
    () => true,
    () => false,
  );
}

const damageMark = (lab: Lab, site: SiteName): string => join(lab.dir, 'run', `damaged-${site}`);

/** What the Dashboard would do after a change; rows that are changed behind its back reach no Gateway by themselves. */
export async function reloadGateways(lab: Lab, site: SiteName): Promise<void> {
  const secret = new Secret(await readKey(lab, 'gateway-secret'));
  for (const gateway of GATEWAYS) {
    // A Gateway that is down loads anew when it starts.
    await reload(localUrl(sitePort(lab, site, gateway)), secret).catch(() => undefined);
  }
}

/**
 * Nothing reaches the site and nothing comes from it, its worker included: every process is frozen in the middle of
 * whatever it did. Unlike behind a cut cable they do not go on among themselves; when the cut heals they all do.
 */
export async function partition(lab: Lab, site: SiteName): Promise<string[]> {
  return signalSite(lab, site, 'SIGSTOP');
}

/** The other half of `partition`. */
export async function heal(lab: Lab, site: SiteName): Promise<void> {
  await signalSite(lab, site, 'SIGCONT');
}

async function signalSite(lab: Lab, site: SiteName, signal: 'SIGSTOP' | 'SIGCONT'): Promise<string[]> {
  const signalled: string[] = [];
  for (const name of [`worker-${site}`, ...siteServices(lab).map((service) => `${site}-${service}`)]) {
    const pid = await pidOf(lab, name);
    if (pid === undefined) continue;
    for (const each of [pid, ...(await descendants(pid))]) send(each, signal);
    signalled.push(name);
  }
  return signalled;
}

async function sql(lab: Lab, site: SiteName, statement: string): Promise<number> {
  return withClient(
    await superuserOf(lab, site),
    async (client) => (await client.query(statement)).rowCount ?? 0,
  );
}

/** Every process below this one, from /proc. */
async function descendants(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(/\) \S (\d+)/.exec(stat)?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const below = children.get(next) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself in between.
  }
}
