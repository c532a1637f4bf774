import type { ClusterConfig, Site } from './config.ts';
import type { Manifest, PostgresFacts } from './manifest.ts';

/**
 * What the method pgbackrest relies on: `config-check.ts` has seen that its fields are there, and `check-backup` that
 * the set was made by it.
 */

export function clusterOf(site: Site): ClusterConfig {
  const cluster = clusterIfOurs(site);
  if (cluster) return cluster;
  throw new Error('the method pgbackrest works on a database without dataDir or pgbackrest');
}

/** Undefined where the database is backed up by a method that does not touch its files. */
export function clusterIfOurs({ database }: Site): ClusterConfig | undefined {
  const ours = database?.method === 'pgbackrest' && database.dataDir !== undefined && database.pgbackrest;
  return ours ? (database as ClusterConfig) : undefined;
}

export function physicalFacts({ database }: Manifest): PostgresFacts {
  if (database?.method === 'pgbackrest') return database;
  throw new Error('the method pgbackrest works on a set that was not made by it');
}
