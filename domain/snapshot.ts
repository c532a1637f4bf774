import { SET_ID, type Manifest } from './manifest.ts';

/**
 * A partial set, of Redis or of the configuration alone. It belongs to a full set and is used with it: newer than what
 * the set holds of that store, and nothing by itself. Pure.
 */

export const SNAPSHOT_KINDS = ['redis', 'config'] as const;
export type SnapshotKind = (typeof SNAPSHOT_KINDS)[number];

/** `20261124T041500Z-77aa-redis`: sorts by time among sets, and is never taken for one. */
export const SNAPSHOT_ID = /^\d{8}T\d{6}Z-[0-9a-f]{4}-(redis|config)$/;

/** Undefined where the id is not that of a snapshot. */
export function snapshotKind(id: string): SnapshotKind | undefined {
  return SNAPSHOT_ID.exec(id)?.[1] as SnapshotKind | undefined;
}

export const isSetOrSnapshot = (id: string): boolean => SET_ID.test(id) || SNAPSHOT_ID.test(id);

/** The steps that take from a snapshot of a kind what it holds. */
const FROM_SNAPSHOT: Readonly<Record<SnapshotKind, readonly string[]>> = {
  redis: ['restore-redis-data'],
  config: ['restore-dashboard-config', 'restore-gateway-config', 'start-pump'],
};

/** The kinds of snapshots of which a plan can make use. */
export function snapshotKindsOf({ steps }: { readonly steps: readonly string[] }): SnapshotKind[] {
  return SNAPSHOT_KINDS.filter((kind) => FROM_SNAPSHOT[kind].some((id) => steps.includes(id)));
}

/** The snapshots that a recovery uses with its set, by kind; what is absent comes from the set. */
export type UsedSnapshots = Readonly<Partial<Record<SnapshotKind, string>>>;

/** What a whole recovery restores, as if it lay in one set: facts only, its objects lie in several folders. */
export function composed(set: Manifest, snapshots: Partial<Record<SnapshotKind, Manifest>>): Manifest {
  const { redis, config } = snapshots;
  return {
    ...set,
    ...(redis?.redis ? { redis: redis.redis } : {}),
    ...(config?.configTakenAt === undefined ? {} : { configTakenAt: config.configTakenAt }),
    objects: set.objects.map((object) => {
      const from = object.name.startsWith('redis') && object.name !== 'redis-server' ? redis : config;
      return from?.objects.find(({ name }) => name === object.name) ?? object;
    }),
    versions: { ...set.versions, ...redis?.versions, ...config?.versions },
  };
}
