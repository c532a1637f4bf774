import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { readCopyRecords } from '../adapters/backup/copy-record.ts';
import { listChains, readChain } from '../adapters/backup/redis-aof.ts';
import { isUsable, listSets, readAttestation, readManifest } from '../adapters/backup/repository.ts';
import { listSnapshots } from '../adapters/backup/snapshots.ts';
import { queryValue, withClient } from '../adapters/postgres/client.ts';
import type { BackupConfig, Deployment, Site } from '../domain/config.ts';
import { clusterIfOurs, clusterOf } from '../domain/cluster.ts';
import { startOfId, type DatabaseBackup, type Manifest } from '../domain/manifest.ts';
import type {
  ArchiveFigures,
  HostFigures,
  Point,
  SetFigures,
  SnapshotFigures,
  Store,
  StoreFigures,
} from '../domain/figures.ts';
import { SNAPSHOT_KINDS } from '../domain/snapshot.ts';
import { adminConnection, currentGeneration } from './endpoints.ts';
import type { Deps } from './guard.ts';
import { liveState } from './live.ts';
import { serves, treesOn } from './site.ts';
import { replicationFigures } from './standby/figures.ts';
import { printsOf } from './standby/prints.ts';
import { asActivity } from './to-failure.ts';

/** What a host can measure of how much would be lost now. `domain/standing.ts` judges it. */

export function createMeasureActivities(deps: Deps) {
  return {
    /** @param nonce where drift is to be told: digests are keyed for this one look */
    'measure-host': (deployment: string, site: string, nonce?: string) =>
      asActivity(() => measureHost(deps, deployment, site, nonce)),
  };
}

/** Never throws for what cannot be measured: it names it among the problems. */
export async function measureHost(
  deps: Deps,
  name: string,
  siteName: string,
  nonce?: string,
): Promise<HostFigures> {
  const deployment = deps.deployment(name);
  const site = deployment.sites[siteName]!;
  const { worker } = deps;
  const problems: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const state = await attempt('services', () => liveState(worker, siteName, site));
  const live = state?.live ?? false;
  const [archive, configChangedAt, sets, snapshots, replication, prints] = await Promise.all([
    live && serves(worker, site, clusterIfOurs(site))
      ? attempt('archive', () => archiveFigures(deps, site))
      : undefined,
    live ? attempt('configuration', () => newestChange(worker, site)) : undefined,
    attempt('repository', () => setFigures(deployment, name)),
    attempt('snapshots', () => snapshotFigures(deployment, name)),
    attempt('replication', () => replicationFigures(deps, name, siteName, live)),
    nonce === undefined ? undefined : attempt('drift', () => printsOf(deps, name, siteName, live, nonce)),
  ]);
  return {
    site: siteName,
    worker,
    measuredAt: new Date().toISOString(),
    live,
    ...(state?.fencedBy === undefined ? {} : { fencedBy: state.fencedBy }),
    serves: storesOn(worker, site),
    ...(archive ? { archive } : {}),
    ...(configChangedAt === undefined ? {} : { configChangedAt }),
    points: (await attempt('Redis log', () => pointsOf(deployment, name, siteName))) ?? [],
    offSite: deployment.backup.copies.length > 0,
    ...(sets ? { sets } : {}),
    ...(snapshots ? { snapshots } : {}),
    ...(replication ? { replication } : {}),
    ...(prints ? { prints } : {}),
    problems,
  };
}

/** Where a store can be brought to besides the points of sets. */
async function pointsOf({ backup }: Deployment, name: string, site: string): Promise<Point[]> {
  const [newest] = await listChains(backup, name);
  const chain = newest === undefined ? undefined : await readChain(backup, name, newest);
  const last = chain?.pieces.at(-1);
  if (!last || chain?.site !== site) return [];
  return [{ store: 'redis', at: last.holdsUntil, label: `log of Redis shipped until ${last.holdsUntil}` }];
}

function storesOn(worker: string, site: Site): Store[] {
  const trees = treesOn(worker, site);
  return [
    ...(serves(worker, site, site.redis) ? ['redis' as const] : []),
    ...(serves(worker, site, site.database) ? ['database' as const] : []),
    ...(trees.length > 0 ? ['config' as const] : []),
  ];
}

async function archiveFigures(deps: Deps, site: Site): Promise<ArchiveFigures> {
  const config = clusterOf(site);
  const generation = await currentGeneration(config);
  return withClient(await adminConnection(config, deps.secret), async (client) => {
    const { rows } = await client.query<{
      archived: Date | null;
      through: string | null;
      failed: Date | null;
    }>(
      'SELECT last_archived_time AS archived, last_archived_wal AS through, last_failed_time AS failed FROM pg_stat_archiver',
    );
    const waiting = await queryValue<string>(
      client,
      `SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'`,
    );
    const timeout = await queryValue<string>(
      client,
      `SELECT setting FROM pg_settings WHERE name = 'archive_timeout'`,
    );
    const { archived, through, failed } = rows[0]!;
    // After a backup or a switch of timelines it is the name of another kind of file.
    const segment = through?.slice(0, 24);
    return {
      ...(generation === undefined ? {} : { generation }),
      ...(archived ? { archivedAt: archived.toISOString() } : {}),
      ...(segment !== undefined && /^[0-9A-F]{24}$/.test(segment) ? { archivedThrough: segment } : {}),
      ...(failed ? { failedAt: failed.toISOString() } : {}),
      waiting: Number(waiting),
      timeoutMs: Number(timeout) * 1000,
    };
  });
}

/** More sets than any trend or rule looks at; each costs a signature check. */
const MOST_SETS = 30;

async function setFigures({ backup }: Deployment, name: string): Promise<SetFigures[]> {
  const usable = (await listSets(backup, name)).filter(isUsable);
  return Promise.all(usable.slice(0, MOST_SETS).map(({ set }) => figuresAt(backup, name, set)));
}

async function snapshotFigures({ backup }: Deployment, name: string): Promise<SnapshotFigures[]> {
  const usable = (await listSnapshots(backup, name)).filter(isUsable);
  const newest = SNAPSHOT_KINDS.flatMap((kind) =>
    usable.filter((listed) => listed.kind === kind).slice(0, MOST_SETS),
  );
  return Promise.all(
    newest.map(async ({ set, kind, belongsTo }) => {
      const { stores, ...figures } = await figuresAt(backup, name, set);
      const own = stores[kind];
      return { ...figures, belongsTo: belongsTo!.set, stores: own ? { [kind]: own } : {} };
    }),
  );
}

async function figuresAt(backup: BackupConfig, name: string, set: string): Promise<SetFigures> {
  const signed = await readManifest(backup, name, set);
  const attestation = await readAttestation(backup, name, signed);
  const copies = await readCopyRecords(backup, name, signed);
  return {
    ...figuresOf(signed.manifest, attestation?.verifiedAt),
    copies: copies.map(({ copy, at, walAt, walThrough }) => ({
      ...{ name: copy, at },
      ...(walAt === undefined ? {} : { walAt }),
      ...(walThrough === undefined ? {} : { walThrough }),
    })),
  };
}

function figuresOf(manifest: Manifest, verifiedAt: string | undefined): SetFigures {
  const { set, createdAt, objects, redis, database, durations } = manifest;
  const startedAt = startOfId(set);
  const sealed = (...names: readonly string[]): number =>
    objects.filter(({ name }) => names.includes(name)).reduce((sum, { cipher }) => sum + cipher.bytes, 0);
  const storeBytes = sealed(
    ...[
      'redis',
      'redis-samples',
      'pgbackrest-files',
      'pgbackrest-passphrase',
      'dump-control',
      'dump-analytics',
    ],
  );
  const took = (store: Store): Pick<StoreFigures, 'durationMs'> =>
    durations?.[store] === undefined ? {} : { durationMs: durations[store] };
  return {
    set,
    startedAt,
    createdAt,
    ...(verifiedAt === undefined ? {} : { verifiedAt }),
    ...(database?.method === 'pgbackrest' ? { generation: database.generation } : {}),
    ...(manifest.rewrapOf === undefined ? {} : { resealed: true }),
    stores: {
      ...(redis
        ? { redis: { pointAt: redis.takenAt, bytes: sealed('redis', 'redis-samples'), ...took('redis') } }
        : {}),
      ...(database
        ? {
            database: {
              pointAt: takenAtOf(database) ?? startedAt,
              bytes: database.databaseBytes,
              ...took('database'),
            },
          }
        : {}),
      config: {
        pointAt: startedAt,
        bytes: objects.reduce((sum, { cipher }) => sum + cipher.bytes, 0) - storeBytes,
        ...took('config'),
      },
    },
  };
}

/** When an entry of a configuration tree was changed, made, moved or removed last. Undefined where there are none. */
async function newestChange(worker: string, site: Site): Promise<string | undefined> {
  let newestMs: number | undefined;
  const look = async (path: string): Promise<void> => {
    const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!facts) return;
    newestMs = Math.max(newestMs ?? 0, facts.ctimeMs);
    if (!facts.isDirectory()) return;
    for await (const entry of await opendir(path)) await look(join(path, entry.name));
  };
  for (const { root, config, include } of treesOn(worker, site))
    for (const entry of [config, ...include]) await look(join(root, entry));
  return newestMs === undefined ? undefined : new Date(newestMs).toISOString();
}

/** A dump has one moment of its own; the point of a physical backup is bounded by the begin of its set. */
function takenAtOf(database: DatabaseBackup): string | undefined {
  return database.method === 'dump' ? database.takenAt : undefined;
}
