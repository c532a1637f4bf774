import { join } from 'node:path';
import { access } from 'node:fs/promises';
import { readRun } from '../../adapters/backup/runs.ts';
import { requireFree } from '../../adapters/files/disk.ts';
import { exists } from '../../adapters/files/exists.ts';
import { discardPlaced, placePaths } from '../../adapters/files/place-entries.ts';
import { discardStaging, discardUndo, switchPaths, undoSwitch } from '../../adapters/files/switch-in.ts';
import { readDrillMark } from '../../adapters/host/drill-mark.ts';
import { lowerFence, raiseFence, readFence } from '../../adapters/host/fence.ts';
import { somebodyListens } from '../../adapters/host/ports.ts';
import {
  readStandbyMark,
  removeStandbyMark,
  writeStandbyMark,
  type StandbyMark,
} from '../../adapters/host/standby-mark.ts';
import { removeTakeoverMark, writeTakeoverMark } from '../../adapters/host/takeover-mark.ts';
import { checkIdentity, checkMajorVersion } from '../../adapters/postgres/control.ts';
import { forgetMaster } from '../../adapters/redis/replica.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import type { Site } from '../../domain/config.ts';
import { formatBytes } from '../../domain/duration.ts';
import { isWatched } from '../../domain/redis-kind.ts';
import { DrError } from '../../domain/errors.ts';
import { countAbandoned } from '../../domain/abandoned.ts';
import type { MarkedStore } from '../../domain/beacon.ts';
import type { KeepAbandonedResult, SourceStore } from '../../domain/plan.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { liveState } from '../live.ts';
import { proof } from '../proofs.ts';
import { serves, servicesOf } from '../site.ts';
import { stopServices } from '../stop-services.ts';
import { nameAbandoned } from './abandoned.ts';
import { configRoots } from '../undo.ts';
import { isMongo } from './mongodb.ts';
import { rollbackFiles } from './mongodb-standby.ts';

/** A site that becomes a standby, and one that stops being one. */

export function createStandbySiteActivities(deps: Deps) {
  return {
    'check-standby': guarded(deps, 'probe', checkStandby),
    'claim-standby': guarded(deps, 'mutate', claimStandby),
    'mark-standby': guarded(deps, 'mutate', markStandby),
    'unmark-standby': guarded(deps, 'release', unmarkStandby),
    'undo-copy': guarded(deps, 'release', undoCopy),
    'keep-abandoned': guarded(deps, 'mutate', keepAbandoned),
    'take-command': guarded(deps, 'mutate', takeCommandOfStandby),
    'give-back': guarded(deps, 'release', giveBack),
  };
}

/** The copy, and the WAL that comes while it is made. */
const DISK_MARGIN = 1.2;

/** @throws DrError STANDBY_IS_ANOTHER, DRILL_LEFT, TARGET_IS_ANOTHER, POSTGRES_VERSION, TOOL_MISSING, DISK_TOO_SMALL */
async function checkStandby(call: Call, stores: readonly SourceStore[] = []): Promise<StepResult> {
  const { worker, target, source, input } = call;
  const { to: site, from, deployment } = input.plan;
  const drill = await readDrillMark(target.stateDir);
  if (drill) throw new DrError('DRILL_LEFT', { run: drill.run, site, deployment });
  const mark = await readStandbyMark(target.stateDir);
  const { live, summary } = await liveState(worker, site, target);
  if (live)
    throw new DrError('STANDBY_IS_ANOTHER', {
      site,
      reason: `it serves (${summary}); its data would be lost`,
    });
  const proofs: Proof[] = [
    proof(
      'the site does not serve',
      true,
      'stopped, fenced or a standby',
      mark ? `a standby of ${mark.of}` : summary,
    ),
  ];
  const cluster = clusterIfOurs(target);
  const database = stores.find(({ store }) => store === 'database');
  if (cluster && database && serves(worker, target, target.database)) {
    await checkMajorVersion(cluster.binDir, Number.parseInt(database.version!, 10));
    for (const tool of ['pg_basebackup', 'pg_rewind'])
      await access(join(cluster.binDir, tool)).catch(() => {
        throw new DrError('TOOL_MISSING', { tool, host: site });
      });
    await checkIdentity({ ...cluster, user: cluster.runAs }, database.systemIdentifier!);
    const bytes = Math.ceil((database.bytes ?? 0) * DISK_MARGIN);
    await requireFree(cluster.dataDir, bytes);
    proofs.push(
      proof('disk for the database', true, `${formatBytes(bytes)} free`, 'enough, beside the old data'),
    );
  }
  if (isMongo(target) && database && serves(worker, target, target.database)) {
    const bytes = Math.ceil((database.bytes ?? 0) * DISK_MARGIN);
    await requireFree(target.database!.dataDir!, bytes);
    proofs.push(
      proof('disk for the database', true, `${formatBytes(bytes)} free`, 'enough, beside the old data'),
    );
  }
  for (const [store, at] of [
    ['redis', source.redis],
    ['database', source.database],
  ] as const) {
    if (!at || !serves(worker, target, target[store])) continue;
    if (!(await somebodyListens(at.host, at.port)))
      throw new DrError('STORE_UNREACHABLE', {
        ...{
          store: `${store} of ${from}`,
          address: `${at.host}:${at.port}`,
          reason: `not reached from ${site}`,
        },
      });
    proofs.push(proof(`${store} of ${from} is reached`, true, 'it listens', `${at.host}:${at.port}`));
  }
  return { summary: `${site} may become a standby of ${from}`, proofs };
}

/** A fence stays up until the data are those of one that follows: nothing may start on the old ones. */
async function claimStandby({ worker, target, input, signal }: Call): Promise<StepResult> {
  const { to: site } = input.plan;
  const stopped = await stopServices(servicesOf(site, target, { worker }).reverse(), signal);
  return {
    summary: `${site} is ours: epoch ${input.epoch}; ${stopped.length > 0 ? `stopped ${stopped.join(', ')}` : 'nothing ran'}`,
  };
}

async function markStandby({ target, input }: Call): Promise<StepResult> {
  const { from, to } = input.plan;
  const fencedBy = await readFence(target.stateDir);
  const before = await readStandbyMark(target.stateDir);
  const kept = fencedBy ?? (before?.run === input.run ? before.fencedBy : undefined);
  await writeStandbyMark(target.stateDir, {
    ...{ of: from, run: input.run, at: new Date().toISOString() },
    ...(kept === undefined ? {} : { fencedBy: kept }),
  });
  await removeTakeoverMark(target.stateDir);
  await lowerFence(target.stateDir);
  return {
    summary: `${to} is a standby of ${from}${fencedBy === undefined ? '' : `; lifted the fence of ${fencedBy}`}`,
    observed: before?.run === input.run && fencedBy === undefined,
  };
}

/** The old data come back with their fence: they may be those of a site that was given up. */
async function unmarkStandby({ target, input }: Call): Promise<StepResult> {
  const mark = await readStandbyMark(target.stateDir);
  if (mark?.run !== input.run) return { summary: 'it was not marked' };
  if (mark.fencedBy !== undefined) await raiseFence(target.stateDir, mark.fencedBy);
  await removeStandbyMark(target.stateDir);
  const { redis } = target;
  // Sentinels that have seen it as a replica would make it one again: it never becomes a second master for a while.
  if (redis?.configFile !== undefined && !isWatched(redis)) await forgetMaster(redis.configFile);
  return {
    summary: `${input.plan.to} is no standby${mark.fencedBy === undefined ? '' : ', and fenced again'}`,
  };
}

async function undoCopy({ target, input }: Call): Promise<StepResult> {
  const dataDir = input.step === 'copy-database' ? databaseFolder(target) : target.redis?.dataDir;
  if (dataDir === undefined) return { summary: 'nothing to undo' };
  const key = { run: input.run, step: input.step, set: input.set ?? '' };
  return { summary: await undoSwitch(switchPaths(dataDir, input.run), key) };
}

/** Whose data a standby replaces. */
const databaseFolder = (site: Site): string | undefined =>
  isMongo(site) ? site.database?.dataDir : clusterIfOurs(site)?.dataDir;

/**
 * After a graceful failover the old data hold nothing that the new ones lack. After any other they may: clients were told
 * that a write was taken which nobody else has seen.
 */
async function keepAbandoned(call: Call): Promise<KeepAbandonedResult> {
  const { worker, target, input, deployment } = call;
  const mark = await readStandbyMark(target.stateDir);
  const failover = /\b(?:fo|rec)-\S+/.exec(mark?.fencedBy ?? '')?.[0];
  const record =
    failover === undefined ? undefined : await readRun(deployment.backup, input.plan.deployment, failover);
  const wasGraceful = record?.mode === 'graceful';
  const folders = {
    redis: serves(worker, target, target.redis) ? target.redis?.dataDir : undefined,
    database: serves(worker, target, target.database) ? databaseFolder(target) : undefined,
  };
  const kept: Partial<Record<MarkedStore, string>> = {};
  for (const [store, dataDir] of Object.entries(folders) as [MarkedStore, string | undefined][]) {
    if (dataDir === undefined) continue;
    const paths = switchPaths(dataDir, input.run);
    // A site that was never given up has abandoned nothing.
    if (mark?.fencedBy === undefined || wasGraceful) await discardUndo(paths);
    else {
      await discardStaging(paths);
      if (await exists(paths.undoDir)) kept[store] = paths.undoDir;
    }
  }
  // Configuration is in every set.
  for (const root of new Set(Object.values(configRoots(call)).flat()))
    await discardPlaced(placePaths(root, input.run));
  const woundBack = await rolledBack(call, mark);
  const places = [...Object.values(kept), ...woundBack];
  if (places.length === 0) return { summary: 'the old data held nothing that the new ones lack: removed' };
  const abandoned = await nameAbandoned(call, kept, woundBack);
  const count = countAbandoned(abandoned);
  return {
    summary: `kept what only ${input.plan.to} had (${count} by name): ${places.join(', ')}`,
    abandoned,
    exception: `keep-abandoned: ${input.plan.to} was given up by ${mark?.fencedBy ?? 'its replica set'}; what it had taken after that is in ${places.join(' and ')} (${count} by name in the report); remove it when nobody needs it`,
  };
}

/** What MongoDB has wound back lies in the new data, whoever had given the site up. */
async function rolledBack({ worker, target }: Call, mark: StandbyMark | undefined): Promise<string[]> {
  const folder =
    isMongo(target) && serves(worker, target, target.database) ? databaseFolder(target) : undefined;
  if (!mark || folder === undefined) return [];
  return (await rollbackFiles(folder, Date.parse(mark.at))).map((file) => join(folder, file));
}

/** The lease itself was taken on entry. */
async function takeCommandOfStandby({ target, input }: Call): Promise<StepResult> {
  const { from, to } = input.plan;
  await writeTakeoverMark(target.stateDir, { of: from, run: input.run });
  const was = await removeStandbyMark(target.stateDir);
  await lowerFence(target.stateDir);
  return { summary: `${to} is ours: epoch ${input.epoch}; it is the site that is to serve`, observed: !was };
}

/** The source is to be written to again: this site, which may have been promoted, must not start beside it. */
async function giveBack({ target, input }: Call): Promise<StepResult> {
  const { to, deployment } = input.plan;
  await raiseFence(target.stateDir, `run ${input.run}`);
  return { summary: `${to} is fenced; tyk-dr replicate ${deployment} --to ${to} makes it a standby again` };
}
