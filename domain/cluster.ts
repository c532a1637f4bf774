import type { ClusterConfig, Site } from './config.ts';
import type { Manifest, PostgresFacts } from './manifest.ts';

/**
 * What the method pgbackrest relies on: `config-check.ts` has seen that its fields are there, and `check-backup` that
 * the set was made by it.
 */

export function clusterOf({ database }: Site): ClusterConfig {
  if (database?.dataDir !== undefined && database.pgbackrest) return database as ClusterConfig;
  throw new Error('the method pgbackrest works on a database without dataDir or pgbackrest');
}

export function physicalFacts({ database }: Manifest): PostgresFacts {
  if (database?.method === 'pgbackrest') return database;
  throw new Error('the method pgbackrest works on a set that was not made by it');
}
