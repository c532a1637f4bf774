import { readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import { packTree } from '../adapters/backup/tree.ts';
import type { Site } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { ManifestObject } from '../domain/manifest.ts';
import type { BackupCall } from './guard.ts';
import { sealObject } from './seal-object.ts';
import { serves } from './site.ts';

/** The configuration of the servers themselves, Redis and the database: their file and what it names beside itself. */

export interface ServerTree {
  /** `redis-server`, `postgresql-server`, `mongodb-server`. */
  readonly object: string;
  readonly component: 'redis' | 'database';
  readonly root: string;
  /** The server's own file, relative to root. */
  readonly config: string;
}

/** Of this worker's host. Without `configFile` it is in the data folder, and restored with it. */
export function serverTrees(worker: string, site: Site): ServerTree[] {
  return (['redis', 'database'] as const).flatMap((component) => {
    const store = site[component];
    if (!serves(worker, site, store) || store?.configFile === undefined) return [];
    const kind = component === 'redis' ? 'redis' : site.database!.kind;
    return [
      {
        object: `${kind}-server`,
        component,
        root: dirname(store.configFile),
        config: basename(store.configFile),
      } as const,
    ];
  });
}

/** @throws DrError OBJECT_MISSING where the file is declared and not there, TREE_LEADS_OUTSIDE */
export async function sealServerFiles(call: BackupCall): Promise<ManifestObject[]> {
  const objects: ManifestObject[] = [];
  for (const { object, root, config } of serverTrees(call.worker, call.site)) {
    call.progress(object);
    const { stream, ended, entries } = await packTree(
      { root, entries: [config, ...(await filesBeside(root, config))] },
      call.signal,
    );
    if (!entries.includes(config))
      throw new DrError('OBJECT_MISSING', { object: join(root, config), set: call.input.set });
    const [sealed] = await Promise.all([sealObject(call, object, stream), ended]);
    objects.push(sealed);
  }
  return objects;
}

/** Where Debian keeps them, whether the file names them or not. */
const USUAL = ['pg_hba.conf', 'pg_ident.conf', 'conf.d', 'environment', 'pg_ctl.conf', 'start.conf'];

/** Redis: a word and a path. PostgreSQL: a name, a path in quotes. What lies elsewhere belongs to somebody else. */
const NAMES_A_FILE =
  /^\s*(?:aclfile|include|tls-[\w-]+-file|\w+_file|include_(?:dir|if_exists))(?:\s*=\s*|\s+)(?:'([^']+)'|"([^"]+)"|([^\s#]+))/;

async function filesBeside(root: string, config: string): Promise<string[]> {
  const text = await readFile(join(root, config), 'utf8').catch(() => '');
  const named = text.split('\n').flatMap((line) => {
    const path = NAMES_A_FILE.exec(line)
      ?.slice(1)
      .find((each) => each !== undefined);
    if (path === undefined) return [];
    const below = isAbsolute(path) ? relative(root, path) : path;
    return below === '' || below.startsWith('..') || below.includes('*') ? [] : [below];
  });
  return [...new Set([...USUAL, ...named])].filter((entry) => entry !== config);
}
