import { join } from 'node:path';
import { access } from 'node:fs/promises';
import { readRun } from '../../adapters/backup/runs.ts';
import { requireFree } from '../../adapters/files/disk.ts';
import { exists } from '../../adapters/files/exists.ts';
import { discardUndo, switchPaths, undoSwitch } from '../../adapters/files/switch-in.ts';
import { readDrillMark } from '../../adapters/host/drill-mark.ts';
import { lowerFence, raiseFence, readFence } from '../../adapters/host/fence.ts';
import { somebodyListens } from '../../adapters/host/ports.ts';
import { readStandbyMark, removeStandbyMark, writeStandbyMark } from '../../adapters/host/standby-mark.ts';
import { checkIdentity, checkMajorVersion } from '../../adapters/postgres/control.ts';
import { forgetMaster } from '../../adapters/redis/replica.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import { formatBytes } from '../../domain/duration.ts';
import { isWatched } from '../../domain/redis-kind.ts';
import { DrError } from '../../domain/errors.ts';
import type { SourceStore } from '../../domain/plan.ts';
import type { Proof, StepResult } from '../../domain/run.ts';
import { guarded, type Call, type Deps } from '../guard.ts';
import { liveState } from '../live.ts';
import { proof } from '../proofs.ts';
import { serves, servicesOf } from '../site.ts';
import { stopServices } from '../stop-services.ts';

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
  const dataDir = input.step === 'copy-database' ? clusterIfOurs(target)?.dataDir : target.redis?.dataDir;
  if (dataDir === undefined) return { summary: 'nothing to undo' };
  const key = { run: input.run, step: input.step, set: input.set ?? '' };
  return { summary: await undoSwitch(switchPaths(dataDir, input.run), key) };
}

/**
 * After a graceful failover the old data hold nothing that the new ones lack. After any other they may: clients were told
 * that a write was taken which nobody else has seen.
 */
async function keepAbandoned(call: Call): Promise<StepResult> {
  const { worker, target, input, deployment } = call;
  const mark = await readStandbyMark(target.stateDir);
  const failover = /\b(?:fo|rec)-\S+/.exec(mark?.fencedBy ?? '')?.[0];
  const record =
    failover === undefined ? undefined : await readRun(deployment.backup, input.plan.deployment, failover);
  const wasGraceful = record?.mode === 'graceful';
  const folders = [
    serves(worker, target, target.redis) ? target.redis?.dataDir : undefined,
    serves(worker, target, target.database) ? clusterIfOurs(target)?.dataDir : undefined,
  ].filter((folder) => folder !== undefined);
  const kept: string[] = [];
  for (const dataDir of folders) {
    const paths = switchPaths(dataDir, input.run);
    // A site that was never given up has abandoned nothing.
    if (mark?.fencedBy === undefined || wasGraceful) await discardUndo(paths);
    else if (await exists(paths.undoDir)) kept.push(paths.undoDir);
  }
  if (kept.length === 0) return { summary: 'the old data held nothing that the new ones lack: removed' };
  return {
    summary: `kept what only ${input.plan.to} had: ${kept.join(', ')}`,
    exception: `keep-abandoned: ${input.plan.to} was given up by ${mark!.fencedBy}; what it had taken after that is in ${kept.join(' and ')}; remove it when nobody needs it`,
  };
}

/** The lease itself was taken on entry. */
async function takeCommandOfStandby({ target, input }: Call): Promise<StepResult> {
  const { to } = input.plan;
  const was = await removeStandbyMark(target.stateDir);
  await lowerFence(target.stateDir);
  return { summary: `${to} is ours: epoch ${input.epoch}; it is the site that is to serve`, observed: !was };
}
