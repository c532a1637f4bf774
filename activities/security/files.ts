import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { clusterIfOurs } from '../../domain/cluster.ts';
import type { Proof } from '../../domain/run.ts';
import type { JsonObject } from '../../domain/tyk-conf.ts';
import { readConf } from '../conf-file.ts';
import type { Call } from '../guard.ts';
import { serves, treesOn, type Tree } from '../site.ts';
import { shown, unknown } from './check.ts';

/** The files of this host that hold secrets: configurations as they were restored, private keys, what references name. */

const CHECK = 'secrets are not readable by others';
/** Mode bits of everybody else; a group of the service's own may read. */
const OTHERS = 0o007;
const HOLDS_KEYS = /\.(pem|key|p12|pfx|jks)$/;

export async function fileChecks(call: Call): Promise<Proof[]> {
  const files = [...new Set(await filesOf(call))];
  const open: string[] = [];
  let looked = 0;
  for (const file of files) {
    const mode = await stat(file).then(
      (found) => found.mode,
      () => undefined,
    );
    if (mode === undefined) continue;
    looked += 1;
    if ((mode & OTHERS) !== 0) open.push(`${file} has mode ${(mode & 0o777).toString(8)}`);
  }
  const what = `on the host of ${call.worker}`;
  if (looked === 0) return [unknown(CHECK, what, 'this host has none of the files')];
  return [
    shown(
      CHECK,
      what,
      open.length === 0,
      'modes such as 600 or 640',
      open.join('; ') || `${looked} files, each closed to others`,
    ),
  ];
}

async function filesOf(call: Call): Promise<string[]> {
  const { worker, target, deployment } = call;
  const { secrets } = deployment;
  const trees = await Promise.all(
    treesOn(worker, target).map(async (tree) => [
      join(tree.root, tree.config),
      ...(await keyFilesOf(tree)),
      ...(await namedKeyFiles(tree)),
    ]),
  );
  const redis = serves(worker, target, target.redis) ? target.redis : undefined;
  const cluster = clusterIfOurs(target);
  const references = [
    ...[secrets.gateway, secrets.node, secrets.admin, secrets.certificate],
    ...[target.redis?.password, target.database?.password, target.dashboard?.accessKey],
  ];
  return [
    ...trees.flat(),
    ...(redis?.configFile === undefined ? [] : [redis.configFile]),
    ...(cluster && serves(worker, target, cluster) ? [cluster.pgbackrest.configFile] : []),
    ...references.flatMap((each) => (each?.startsWith('file:') ? [each.slice('file:'.length)] : [])),
  ];
}

async function keyFilesOf({ root, include }: Tree): Promise<string[]> {
  const found: string[] = [];
  for (const entry of include) {
    const path = join(root, entry);
    if (HOLDS_KEYS.test(path)) found.push(path);
    for (const below of await readdir(path, { recursive: true }).catch(() => []))
      if (HOLDS_KEYS.test(below)) found.push(join(path, below));
  }
  return found;
}

async function namedKeyFiles(tree: Tree): Promise<string[]> {
  const conf = await readConf(tree).catch((): JsonObject => ({}));
  const options = (conf['http_server_options'] ?? {}) as { certificates?: { key_file?: unknown }[] };
  return (options.certificates ?? []).flatMap(({ key_file: file }) =>
    typeof file === 'string' && file !== '' ? [isAbsolute(file) ? file : join(tree.root, file)] : [],
  );
}
