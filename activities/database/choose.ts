import type { DatabaseConfig, Site } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { dumpMethod } from './dump.ts';
import type { DatabaseMethod } from './method.ts';
import { mongodumpMethod } from './mongodump.ts';
import { pgbackrestMethod } from './pgbackrest.ts';

/** The method of a site's database, as its configuration has it. */
export function methodOf({ method }: DatabaseConfig): DatabaseMethod {
  return METHODS[method];
}

const METHODS: Readonly<Record<DatabaseConfig['method'], DatabaseMethod>> = {
  mongodump: mongodumpMethod,
  pgbackrest: pgbackrestMethod,
  dump: dumpMethod,
};

/** @throws DrError SET_OF_ANOTHER_METHOD */
export function requireMethod(config: DatabaseConfig, { set, database }: Manifest, site: string): void {
  const actual = database?.method;
  if (actual === undefined || actual === config.method) return;
  throw new DrError('SET_OF_ANOTHER_METHOD', { set, actual, site, expected: config.method });
}

/** For the steps of a plan that has a database: without one they are not part of it. */
export function methodOfSite({ database }: Site): DatabaseMethod {
  if (!database) throw new Error('the plan works on a database that the site does not have');
  return methodOf(database);
}
