import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { clusterIfOurs } from '../../domain/cluster.ts';
import { fine, wrong, type Finding } from '../../domain/doctor.ts';
import { networkProofs } from '../check-network.ts';
import { gatewaysOn, serves } from '../site.ts';
import type { Host } from './host.ts';

/** Where a restore would write, and the ways between the components. */

export async function checkPermissions(host: Host): Promise<Finding[]> {
  const { worker, site, where } = host;
  const found: Finding[] = [];
  const own = <T extends { worker?: string | undefined }>(component: T | undefined): T | undefined =>
    component && serves(worker, site, component) ? component : undefined;
  const database = own(clusterIfOurs(site));
  const dataDirs = [own(site.redis)?.dataDir, database?.dataDir].filter((path) => path !== undefined);
  const roots = [
    ...[own(site.dashboard)?.root, own(site.pump)?.root].filter((path) => path !== undefined),
    ...gatewaysOn(worker, site).map(({ root }) => root),
  ];
  const writable = async (path: string): Promise<void> => {
    const { place, problem } = await writeProblem(path);
    if (problem !== undefined)
      found.push(wrong('permissions', where, `${place} cannot be written: ${problem}`));
  };
  // Restored data are renamed into place: it is the folder around them that must be writable.
  await Promise.all([site.stateDir, ...dataDirs.map(dirname), ...roots].map(writable));
  for (const path of dataDirs) {
    const [inner, outer] = await Promise.all([
      stat(path).catch(() => undefined),
      stat(dirname(path)).catch(() => undefined),
    ]);
    if (inner && outer && inner.dev !== outer.dev)
      found.push(wrong('permissions', where, `${path} is a mount point: it cannot be replaced by a rename`));
  }
  const self = process.getuid?.();
  const owner = database && (await stat(database.dataDir).catch(() => undefined))?.uid;
  if (owner !== undefined && self !== 0 && owner !== self)
    found.push(
      wrong(
        'permissions',
        where,
        `${database!.dataDir} belongs to user ${owner}, and the worker runs as ${self}`,
      ),
    );
  return found.length > 0 ? found : [fine('permissions', where, 'every place of a restore can be written')];
}

/** Of the path, or of the nearest folder above it that exists. */
async function writeProblem(path: string): Promise<{ place: string; problem?: string }> {
  for (let place = path; ; place = dirname(place)) {
    try {
      await access(place, constants.W_OK);
      return { place };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || place === '/') return { place, problem: code ?? message };
    }
  }
}

/** A refusal of the recovery is a finding here, by the same words. */
export async function checkNetwork({ worker, site, siteName, deployment, where }: Host): Promise<Finding[]> {
  const proofs = await networkProofs({ worker, target: site, deployment, site: siteName });
  return [fine('network', where, `${proofs.length} names, routes and clocks`)];
}
