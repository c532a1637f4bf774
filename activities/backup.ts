import {
  listSets,
  readManifest,
  setFolder,
  verifyObjects,
  writeManifest,
} from '../adapters/backup/repository.ts';
import { newestParent, requireParent } from '../adapters/backup/snapshots.ts';
import { noteMade } from '../adapters/backup/unfinished.ts';
import { packTree } from '../adapters/backup/tree.ts';
import { sealObject } from './seal-object.ts';
import { gatewayHello } from '../adapters/tyk/gateway.ts';
import type { LiveResult, ParentResult, PartResult, SealResult } from '../domain/backup.ts';
import { DrError } from '../domain/errors.ts';
import {
  MANIFEST_FORMAT,
  SNAPSHOT_FORMAT,
  type BelongsTo,
  type Manifest,
  type ManifestObject,
} from '../domain/manifest.ts';
import { workersOfSites } from '../domain/site-workers.ts';
import { snapshotKind } from '../domain/snapshot.ts';
import { replicates } from '../domain/strategy.ts';
import { backUpRedis } from './backup-redis.ts';
import { withChosenSet } from './chosen-set.ts';
import { commitConfig } from './commit-config.ts';
import { methodOf } from './database/choose.ts';
import { sealDefinitions } from './definitions.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { beginPart } from './leftovers.ts';
import { liveState } from './live.ts';
import { sealServerFiles } from './server-files.ts';
import { gatewaysOn, serves } from './site.ts';
import { verifySet } from './verify-set.ts';

/** The parts of a backup set, each sealed for every recipient; the manifest last. */

export function createBackupActivities(deps: Deps, version: string) {
  return {
    'find-live-site': guardedBackup(deps, findLiveSite),
    'find-parent-set': guardedBackup(deps, findParentSet),
    'back-up-database': guardedBackup(deps, backUpDatabase),
    'back-up-redis': guardedBackup(deps, backUpRedis),
    'back-up-config': guardedBackup(deps, backUpConfig),
    'seal-set': guardedBackup(
      deps,
      (call, parts: readonly PartResult[], createdAt: string, belongsTo?: BelongsTo) =>
        sealSet(call, { parts, createdAt, belongsTo, version }),
    ),
    'verify-set': guardedBackup(deps, async (asked) => {
      const call = await withChosenSet(asked);
      return { ...(await verifySet(call)), ...inGit(call) };
    }),
    'commit-config': guardedBackup(deps, commitConfig),
  };
}

async function findLiveSite({ worker, site, input }: BackupCall): Promise<LiveResult> {
  const { live, summary } = await liveState(worker, input.site, site);
  return { live, summary };
}

async function findParentSet({ deployment, input }: BackupCall): Promise<ParentResult> {
  const { backup } = deployment;
  const belongsTo = await newestParent(backup, input, await listSets(backup, input.deployment));
  return { summary: `belongs to ${belongsTo.set}`, belongsTo };
}

async function backUpDatabase(call: BackupCall): Promise<PartResult> {
  const { database } = call.site;
  if (!database) return { summary: 'no database in this deployment', objects: [] };
  await beginPart(call);
  return methodOf(database).backUp(call);
}

async function backUpConfig(call: BackupCall): Promise<PartResult> {
  const { worker, site, signal } = call;
  await beginPart(call);
  const trees = [
    ...(site.dashboard && serves(worker, site, site.dashboard)
      ? [{ name: 'dashboard', ...site.dashboard }]
      : []),
    ...gatewaysOn(worker, site).map((gateway) => ({ ...gateway, name: `gateway-${gateway.name}` })),
    ...(site.pump && serves(worker, site, site.pump) ? [{ name: 'pump', ...site.pump }] : []),
  ];
  const objects: ManifestObject[] = [];
  const configTakenAt = new Date().toISOString();
  for (const { name, root, config, include } of trees) {
    call.progress(name);
    const { stream, ended, entries } = await packTree({ root, entries: [config, ...include] }, signal);
    if (!entries.includes(config))
      throw new DrError('OBJECT_MISSING', { object: `${root}/${config}`, set: call.input.set });
    const [object] = await Promise.all([sealObject(call, name, stream), ended]);
    objects.push(object);
  }
  objects.push(...(await sealServerFiles(call)));
  objects.push(...(await sealDefinitions(call)));
  const hello = await gatewayHello(site.gateways[0]!.url);
  return {
    summary: `${objects.length} archives: ${objects.map((object) => object.name).join(', ')}`,
    objects,
    configTakenAt,
    versions: hello ? { gateway: hello.version } : {},
  };
}

/** Without a repository, or without configuration, there is no step that commits. */
const inGit = ({ deployment, input }: BackupCall): { git: boolean } => ({
  // Of a copy alone nothing is taken but the proof.
  git: deployment.backup.git !== undefined && input.copy === undefined && snapshotKind(input.set) !== 'redis',
});

interface Sealing {
  readonly parts: readonly PartResult[];
  readonly createdAt: string;
  /** Of a snapshot. */
  readonly belongsTo: BelongsTo | undefined;
  readonly version: string;
}

async function sealSet(
  call: BackupCall,
  { parts, createdAt, belongsTo, version }: Sealing,
): Promise<SealResult> {
  const { deployment, input } = call;
  const { backup } = deployment;
  const database = parts.find((part) => part.database)?.database;
  const redis = parts.find((part) => part.redis)?.redis;
  const [configTakenAt] = parts.flatMap((part) => part.configTakenAt ?? []).sort();
  const manifest: Manifest = {
    format: belongsTo ? SNAPSHOT_FORMAT : MANIFEST_FORMAT,
    set: input.set,
    ...(belongsTo ? { belongsTo } : {}),
    deployment: input.deployment,
    site: input.site,
    createdAt,
    tool: { name: 'tyk-dr', version },
    recipients: backup.recipients,
    objects: parts.flatMap((part) => part.objects),
    ...(redis ? { redis } : {}),
    ...(database ? { database } : {}),
    ...(configTakenAt === undefined ? {} : { configTakenAt }),
    versions: Object.assign({}, ...parts.map((part) => part.versions ?? {})) as Record<string, string>,
    durations: durationsOf(parts),
  };
  const folder = setFolder(backup, input.deployment, input.set);
  await verifyObjects(folder, manifest);
  // It was there when the snapshot was begun; the rules may have let it go since.
  if (belongsTo) await requireParent(manifest, (set) => readManifest(backup, input.deployment, set));
  await writeManifest(backup, manifest, await call.secret(backup.signingKey));
  await noteMade(folder);
  return {
    summary: `${manifest.objects.length} objects, signed`,
    ...inGit(call),
    runbook: true,
    ...standbysOf(call),
  };
}

/** A snapshot of Redis holds nothing that could be brought. */
function standbysOf({ deployment, input }: BackupCall): Pick<SealResult, 'standbys'> {
  const { strategy, sites, drill } = deployment;
  if (!replicates(strategy) || snapshotKind(input.set) === 'redis') return {};
  const others = Object.entries(sites).filter(([name]) => name !== input.site && name !== drill?.site);
  return {
    standbys: others.map(([site, each]) => ({ site, all: workersOfSites({ sites: { [site]: each } }) })),
  };
}

/** Of each store, the longest of its parts: they were made at the same time. */
function durationsOf(parts: readonly PartResult[]): NonNullable<Manifest['durations']> {
  const durations: Partial<Record<'redis' | 'database' | 'config', number>> = {};
  for (const { redis, database, objects, durationMs } of parts) {
    if (durationMs === undefined || objects.length === 0) continue;
    const store = redis ? 'redis' : database ? 'database' : 'config';
    durations[store] = Math.max(durations[store] ?? 0, durationMs);
  }
  return durations;
}
