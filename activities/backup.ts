import { setFolder, verifyObjects, writeManifest } from '../adapters/backup/repository.ts';
import { noteMade } from '../adapters/backup/unfinished.ts';
import { packTree } from '../adapters/backup/tree.ts';
import { sealObject } from './seal-object.ts';
import { gatewayHello } from '../adapters/tyk/gateway.ts';
import type { LiveResult, PartResult, SealResult } from '../domain/backup.ts';
import { DrError } from '../domain/errors.ts';
import { MANIFEST_FORMAT, type Manifest, type ManifestObject } from '../domain/manifest.ts';
import { backUpRedis } from './backup-redis.ts';
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
    'back-up-database': guardedBackup(deps, backUpDatabase),
    'back-up-redis': guardedBackup(deps, backUpRedis),
    'back-up-config': guardedBackup(deps, backUpConfig),
    'seal-set': guardedBackup(deps, (call, parts: PartResult[], createdAt: string) =>
      sealSet(call, parts, createdAt, version),
    ),
    'verify-set': guardedBackup(deps, async (call) => ({ ...(await verifySet(call)), ...inGit(call) })),
    'commit-config': guardedBackup(deps, commitConfig),
  };
}

async function findLiveSite({ worker, site, input }: BackupCall): Promise<LiveResult> {
  const { live, summary } = await liveState(worker, input.site, site);
  return { live, summary };
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
    versions: hello ? { gateway: hello.version } : {},
  };
}

/** Without a repository there is no step that commits. */
const inGit = ({ deployment, input }: BackupCall): { git: boolean } => ({
  // Of a copy alone nothing is taken but the proof.
  git: deployment.backup.git !== undefined && input.copy === undefined,
});

async function sealSet(
  call: BackupCall,
  parts: readonly PartResult[],
  createdAt: string,
  version: string,
): Promise<SealResult> {
  const { deployment, input } = call;
  const database = parts.find((part) => part.database)?.database;
  const redis = parts.find((part) => part.redis)?.redis;
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    set: input.set,
    deployment: input.deployment,
    site: input.site,
    createdAt,
    tool: { name: 'tyk-dr', version },
    recipients: deployment.backup.recipients,
    objects: parts.flatMap((part) => part.objects),
    ...(redis ? { redis } : {}),
    ...(database ? { database } : {}),
    versions: Object.assign({}, ...parts.map((part) => part.versions ?? {})) as Record<string, string>,
    durations: durationsOf(parts),
  };
  await verifyObjects(setFolder(deployment.backup, input.deployment, input.set), manifest);
  await writeManifest(deployment.backup, manifest, await call.secret(deployment.backup.signingKey));
  await noteMade(setFolder(deployment.backup, input.deployment, input.set));
  return { summary: `${manifest.objects.length} objects, signed`, ...inGit(call), runbook: true };
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
