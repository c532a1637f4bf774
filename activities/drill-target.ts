import { basename, dirname, join } from 'node:path';
import { readdir, rm, rmdir } from 'node:fs/promises';
import {
  isDrillFile,
  readDrillMark,
  readListing,
  removeDrillMark,
  writeDrillMark,
} from '../adapters/host/drill-mark.ts';
import { leaseFile } from '../adapters/host/epoch.ts';
import { listenersOn } from '../adapters/host/sockets.ts';
import { listFolders, listingChanges, type Listing } from '../adapters/host/listing.ts';
import { clusterIfOurs } from '../domain/cluster.ts';
import type { Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { knownSite } from '../domain/known-site.ts';
import type { StepResult } from '../domain/run.ts';
import { emptyCache } from './copies.ts';
import { methodOf } from './database/choose.ts';
import { discardAssembled } from './database-source.ts';
import { guarded, type Call, type Deps } from './guard.ts';
import { setOf } from './open-set.ts';
import { plantedRepository } from './planted.ts';
import { addressesOn, serves, treesOn } from './site.ts';
import { asActivity } from './to-failure.ts';

/** The site of a drill: listed before, marked while it lasts, and held against the list afterwards. */

export interface LeaksResult extends StepResult {
  readonly left: readonly string[];
}

/** What there is that was not there before. */
export interface MadeResult extends StepResult {
  readonly made: readonly string[];
}

export function createDrillTargetActivities(deps: Deps) {
  return {
    'list-target': guarded(deps, 'mutate', listTarget),
    'read-drill-mark': (deployment: string, site: string) =>
      asActivity(async () => {
        const { stateDir } = knownSite(deployment, deps.deployment(deployment).sites, site);
        return (await readDrillMark(stateDir))?.input ?? null;
      }),
    'list-made': guarded(deps, 'release', listMade),
    'find-leaks': guarded(deps, 'probe', findLeaks),
    'tidy-target': guarded(deps, 'release', tidy),
    'unmark-target': guarded(deps, 'release', unmark),
  };
}

async function listTarget(call: Call): Promise<StepResult> {
  const { target, input } = call;
  await refuseReplicas(target, input.plan.to);
  // Called again after a crash: the list of before counts, for by now there may be more.
  const before = (await readListing(target.stateDir, call.worker)) ?? (await everything(call));
  await writeDrillMark(target.stateDir, call.worker, { run: input.run, input }, before);
  return { summary: `${Object.keys(before).length} files and folders are there before; marked as a drill’s` };
}

/** A standby is stopped and not listening, perhaps; its files tell what it is. @throws DrError DRILL_TARGET_REPLICATES */
async function refuseReplicas({ database }: Site, site: string): Promise<void> {
  if (database?.dataDir === undefined) return;
  const names = await readdir(database.dataDir).catch(() => [] as string[]);
  if (names.includes('standby.signal'))
    throw new DrError('DRILL_TARGET_REPLICATES', { what: 'the database', site });
}

/** Before it is taken back. */
async function listMade(call: Call): Promise<MadeResult> {
  const before = await readListing(call.target.stateDir, call.worker);
  const made = before ? listingChanges(before, await everything(call)) : [];
  return { summary: `${made.length} things made or changed`, made: made.map(({ path }) => path) };
}

async function findLeaks(call: Call): Promise<LeaksResult> {
  const { worker, target, input } = call;
  const before = await readListing(target.stateDir, worker);
  if (!before) return { summary: 'nothing was marked: the drill made nothing here', left: [] };
  const changes = listingChanges(before, await everything(call));
  const addresses = addressesOn(worker, input.plan.to, target);
  const listeners = await listenersOn(addresses.map(({ port }) => port));
  const left = [
    ...changes.map(({ path, what }) => `${path} is ${what === 'left' ? 'left behind' : what}`),
    ...addresses
      .filter(({ port }) => listeners.has(port))
      .map(({ name, port }) => `${name} still listens on port ${port} (pid ${listeners.get(port)!.pid})`),
  ];
  const seen = `${Object.keys(before).length} files and folders, ${addresses.length} ports`;
  return {
    summary:
      left.length === 0 ? `nothing is left: ${seen} are as before` : `left: ${left.slice(0, 5).join('; ')}`,
    left,
  };
}

/** What reading the set has left, pieces that came from a copy; and folders that were made to put things in. */
async function tidy(call: Call): Promise<StepResult> {
  const { worker, target } = call;
  const before = await readListing(target.stateDir, worker);
  const made = before ? listingChanges(before, await listed(call)).filter(({ what }) => what === 'left') : [];
  for (const path of restoreFolders(call))
    if (before && before[path] === undefined) await rm(path, { recursive: true, force: true });
  // What the drill's own programs have written beside their configuration, such as logs.
  const roots = rootsOf(call);
  for (const { path } of made)
    if (roots.some((root) => path.startsWith(`${root}/`))) await rm(path, { recursive: true, force: true });
  // Deepest first; one that is not empty stays, and is found.
  for (const { path } of [...made].reverse()) await rmdir(path).catch(() => undefined);
  if (call.input.set !== undefined) await emptyCache(setOf(call));
  const cluster = clusterIfOurs(target);
  if (cluster && serves(worker, target, cluster)) await discardAssembled(cluster);
  return { summary: 'nothing that was fetched is kept' };
}

/** The last that the drill does there. */
async function unmark({ worker, target }: Call): Promise<StepResult> {
  await removeDrillMark(target.stateDir, worker);
  return { summary: 'the mark of the drill is gone' };
}

/** Files and folders, and what lies in a server that data are restored into while it runs. */
async function everything(call: Call): Promise<Listing> {
  const { worker, target } = call;
  const { database } = target;
  const inServer =
    database && serves(worker, target, database) ? await methodOf(database).contents?.(call) : undefined;
  const named = (inServer ?? []).map((name) => [`${name} of the server`, 'there'] as const);
  return { ...(await listed(call)), ...Object.fromEntries(named) };
}

/** Everything that a recovery writes to on this host: the folders, and what lies beside those that are switched. */
async function listed(call: Call): Promise<Listing> {
  const { worker, target } = call;
  const ignored = [leaseFile(target.stateDir), plantedRepository(target)];
  const stores = [target.redis, target.database].filter((store) => serves(worker, target, store));
  const configs = stores.flatMap((store) => [
    ...(store?.configFile === undefined ? [] : [store.configFile]),
    ...(store && 'pgbackrest' in store && store.pgbackrest ? [store.pgbackrest.configFile] : []),
  ]);
  // Where data are restored into a server's own store, and not beside it, its files change by running.
  const dataDirs = stores.flatMap((store) =>
    store?.dataDir !== undefined && (store.method === 'files' || store.method === 'pgbackrest')
      ? [store.dataDir]
      : [],
  );
  const beside = await Promise.all([...dataDirs, ...configs].map(ownAndBeside));
  const folders = [target.stateDir, ...restoreFolders(call), ...beside.flat(), ...rootsOf(call)];
  return listFolders([...new Set(folders)], (path) => {
    // A draft is written and renamed within a moment.
    return ignored.some((own) => path.startsWith(own)) || isDrillFile(target.stateDir, path);
  });
}

/** The folders of the Dashboard, the Gateways and the Pump on this host. */
const rootsOf = ({ worker, target }: Call): string[] => treesOn(worker, target).map(({ root }) => root);

/** What pgBackRest keeps of a restore: its locks, its queue, its log. */
function restoreFolders({ worker, target }: Call): string[] {
  const { database } = target;
  if (!database || !serves(worker, target, database) || !('pgbackrest' in database)) return [];
  const { pgbackrest } = database;
  if (!pgbackrest) return [];
  return [pgbackrest.lockPath, pgbackrest.spoolPath, pgbackrest.logPath].map((path) => join(path, 'restore'));
}

/** `data`, `data.tyk-dr-new-…`, `pgbackrest.conf.…`. */
async function ownAndBeside(path: string): Promise<string[]> {
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const own = names.filter((name) => name === basename(path) || name.startsWith(`${basename(path)}.`));
  return own.map((name) => join(dirname(path), name));
}
