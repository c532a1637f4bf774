import { deleteSet, isCondemned, readHold } from '../adapters/backup/prune.ts';
import {
  isUsable,
  listSets,
  readManifest,
  setFolder,
  type SetListing,
  type SignedManifest,
} from '../adapters/backup/repository.ts';
import { listSnapshots, type SnapshotListing } from '../adapters/backup/snapshots.ts';
import { listBackups } from '../adapters/postgres/backup.ts';
import { expirable, expireBackups } from '../adapters/postgres/expire.ts';
import { siteTool } from '../adapters/postgres/pgbackrest-config.ts';
import type { PrunedCopy, PruneResult } from '../domain/backup.ts';
import { clusterOf } from '../domain/cluster.ts';
import { DrError } from '../domain/errors.ts';
import type { DatabaseBackup } from '../domain/manifest.ts';
import {
  retention,
  snapshotRetention,
  withParents,
  type KeptSet,
  type KeptSnapshot,
} from '../domain/retention.ts';
import { currentGeneration, pgbackrestSite } from './endpoints.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { pruneCopies } from './prune-copies.ts';
import { deleteLogs, logsToGo } from './prune-logs.ts';

/** Lets old sets go as the configuration says, and no other; what is no whole set is reported, never deleted. */

export function createPruneActivities(deps: Deps) {
  return { 'prune-sets': guardedBackup(deps, pruneSets) };
}

interface Found extends KeptSet {
  readonly database: DatabaseBackup | undefined;
  readonly signed: SignedManifest;
}

async function pruneSets(call: BackupCall, dryRun: boolean): Promise<PruneResult> {
  const { deployment, input } = call;
  const { keep } = deployment.backup;
  if (!keep)
    throw new DrError('BAD_ARGUMENT', {
      argument: `deployments.${input.deployment}.backup.keep`,
      value: 'missing',
      expected:
        'rules such as { last: 7, daily: 14, weekly: 8, monthly: 12 }: without any, nothing is deleted',
    });
  const listed = await listSets(deployment.backup, input.deployment);
  const whole = listed.filter(isUsable);
  const found = await Promise.all(whole.map((set) => describe(call, set)));
  const verdicts = retention(withParents(found), keep);
  const listedSnapshots = await listSnapshots(deployment.backup, input.deployment);
  const snapshots = snapshotRetention(listedSnapshots.flatMap(keptSnapshot), verdicts, keep);
  const goingSnapshots = snapshots.filter((verdict) => !verdict.keep).map(({ set }) => set);
  const going = verdicts.filter((verdict) => !verdict.keep).map(({ set }) => set);
  const folder = (set: string): string => setFolder(deployment.backup, input.deployment, set);
  const orphans: string[] = [];
  const odd = [...listed, ...listedSnapshots].filter((each) => !isUsable(each));
  for (const { set, state, belongsTo } of odd) {
    if (state === 'orphaned')
      orphans.push(`${set} (orphaned: its set ${belongsTo!.set} is gone or is another one)`);
    else if (!(await isCondemned(folder(set)))) orphans.push(`${set} (${state})`);
    else if (!dryRun) await deleteSet(folder(set));
  }
  const expired = await expiryOf(call, found, going);
  const staying = found.filter(({ set }) => !going.includes(set)).map(({ createdAt }) => createdAt);
  const logs = await logsToGo(call, staying.sort()[0]);
  orphans.push(...logs.damaged);
  if (!dryRun) {
    // Snapshots first: killed between the two, a set without them is still one, and no snapshot is left without its set.
    for (const set of [...goingSnapshots, ...going]) {
      call.progress(`deleting ${set}`);
      await deleteSet(folder(set));
    }
    await expired.expire();
    await deleteLogs(call, logs.going);
  }
  const here = found.map(({ set, signed, hold }) => ({
    ...{ signed, stays: !going.includes(set) },
    ...(hold === undefined ? {} : { hold }),
  }));
  const copies = await pruneCopies(call, { rules: keep, here, goingSnapshots, dryRun });
  return {
    summary: summarise({ going, goingSnapshots, labels: expired.labels, logs: logs.going, copies }, dryRun),
    ...{ verdicts, snapshots, orphans, expired: expired.labels, logs: logs.going, copies },
  };
}

async function describe(call: BackupCall, { set, state }: SetListing): Promise<Found> {
  const { backup } = call.deployment;
  const signed = await readManifest(backup, call.input.deployment, set);
  const { manifest } = signed;
  const hold = await readHold(setFolder(backup, call.input.deployment, set));
  return {
    set,
    createdAt: manifest.createdAt,
    verified: state === 'verified',
    ...(hold ? { hold: hold.reason } : {}),
    parents: [],
    ...(manifest.rewrapOf === undefined ? {} : { rewrapOf: manifest.rewrapOf }),
    database: manifest.database,
    signed,
  };
}

/** Only the repository that the site writes to now: those of earlier generations may be the last trace of a site. */
async function expiryOf(
  call: BackupCall,
  found: readonly Found[],
  going: readonly string[],
): Promise<{ labels: string[]; expire: () => Promise<void> }> {
  const { site, deployment, signal } = call;
  const config = site.database?.method === 'pgbackrest' ? clusterOf(site) : undefined;
  const generation = config && (await currentGeneration(config));
  if (!config || generation === undefined) return { labels: [], expire: async () => undefined };
  const tool = siteTool(await pgbackrestSite(config, deployment.backup, call.secret, generation));
  const labelsOf = (gone: boolean): string[] =>
    found
      .filter(({ set }) => going.includes(set) === gone)
      .flatMap(({ database }) =>
        database?.method === 'pgbackrest' && database.generation === generation ? [database.label] : [],
      );
  const present = (await listBackups(tool)).map(({ label }) => label);
  const labels = expirable(present, labelsOf(false), labelsOf(true));
  return { labels, expire: () => expireBackups(tool, labels, signal) };
}

interface Going {
  readonly going: readonly string[];
  readonly goingSnapshots: readonly string[];
  readonly labels: readonly string[];
  readonly logs: readonly string[];
  readonly copies: readonly PrunedCopy[];
}

function summarise({ going, goingSnapshots, labels, logs, copies }: Going, dryRun: boolean): string {
  const places = copies
    .filter(({ pruned }) => pruned)
    .map(({ copy, verdicts, files }) => {
      const sets = verdicts.filter(({ keep }) => !keep).length;
      return `; at ${copy} ${count(sets, 'set')} and ${count(files, 'file')} of the database's repository`;
    });
  const snapshots = goingSnapshots.length > 0 ? `, ${count(goingSnapshots.length, 'snapshot')}` : '';
  const ofRedis = logs.length > 0 ? `, ${count(logs.length, 'shipped log')} of Redis` : '';
  const here = `${count(going.length, 'set')}${snapshots}${ofRedis} and ${count(labels.length, 'database backup')}`;
  return `${dryRun ? 'would delete' : 'deleted'} ${here}${places.join('')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** What is no whole snapshot is reported, as such a set is. */
function keptSnapshot(listed: SnapshotListing): KeptSnapshot[] {
  const { set, kind, createdAt, belongsTo, state } = listed;
  if (!isUsable(listed) || !belongsTo) return [];
  return [{ set, kind, createdAt: createdAt!, belongsTo: belongsTo.set, verified: state === 'verified' }];
}
