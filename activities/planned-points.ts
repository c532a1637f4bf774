import { archivedUntil } from '../adapters/postgres/repository-extras.ts';
import { repositoryFolder } from '../adapters/postgres/pgbackrest-config.ts';
import type { Deployment } from '../domain/config.ts';
import { startOfId, type DatabaseBackup, type Manifest, type RedisFacts } from '../domain/manifest.ts';
import type { RecoverPlan } from '../domain/plan.ts';
import type { StorePoint } from '../domain/points.ts';
import { snapshotKindsOf } from '../domain/snapshot.ts';
import type { ChosenSnapshots } from './choose-snapshots.ts';
import { requireRepository } from './endpoints.ts';
import { newestLog } from './shipped-log.ts';

/** To which moments the stores of a plan will come back, as far as that can be known before they do. */

interface Planned {
  readonly deployment: Deployment;
  readonly plan: RecoverPlan;
  readonly set: Manifest;
  readonly used: ChosenSnapshots['used'];
  /** It is known by now that the shipped log cannot be used. */
  readonly withoutLog?: boolean;
}

/** Of the stores that the plan restores. */
export async function plannedPoints(planned: Planned): Promise<StorePoint[]> {
  const { plan, set, used } = planned;
  const kinds = snapshotKindsOf(plan);
  const points: StorePoint[] = [];
  const redis = used.redis?.located.manifest ?? set;
  if (kinds.includes('redis') && redis.redis) points.push(await redisPoint(planned, redis, redis.redis));
  if (plan.steps.includes('restore-database-data') && set.database)
    points.push(await databasePoint(planned, set.database));
  if (kinds.includes('config') && !plan.configRef) points.push(configPoint(planned));
  return points;
}

async function redisPoint(
  { deployment, plan, withoutLog }: Planned,
  manifest: Manifest,
  facts: RedisFacts,
): Promise<StorePoint> {
  const log =
    withoutLog || deployment.sites[plan.to]?.redis?.method === 'commands'
      ? undefined
      : await newestLog(deployment.backup, plan, manifest).catch(() => undefined);
  if (log) return { store: 'redis', at: log.log.holdsUntil, from: SHIPPED_LOG };
  return redisOf(manifest, facts);
}

export const SHIPPED_LOG = 'the shipped append-only log';

/** The moment of an RDB; by commands each key is as it was when it was reached, and this is the first. */
export function redisOf({ set, belongsTo }: Manifest, { takenAt }: RedisFacts): StorePoint {
  return { store: 'redis', at: takenAt, from: `${belongsTo ? 'snapshot' : 'set'} ${set}` };
}

async function databasePoint(
  { deployment, plan, set }: Planned,
  database: DatabaseBackup,
): Promise<StorePoint> {
  const { point } = plan;
  if (point.kind === 'time')
    return {
      store: 'database',
      at: point.at,
      from: `set ${set.set} and WAL until the time that was asked for`,
    };
  if (point.kind === 'set')
    return { store: 'database', at: database.takenAt ?? set.createdAt, from: `set ${set.set}` };
  const at =
    database.method === 'pgbackrest'
      ? await archivedUntil(
          repositoryFolder(requireRepository(deployment.backup), database.generation),
          database,
        )
      : undefined;
  const from = `set ${set.set} and WAL until the end of the archive`;
  return { store: 'database', from, ...(at === undefined ? {} : { at }) };
}

function configPoint({ set, used }: Planned): StorePoint {
  const manifest = used.config?.located.manifest ?? set;
  const { set: id, belongsTo, configTakenAt } = manifest;
  const from = `${belongsTo ? 'snapshot' : 'set'} ${id}`;
  return { store: 'config', at: configTakenAt ?? startOfId(id), from };
}
