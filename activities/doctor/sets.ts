import { join } from 'node:path';
import { access, constants } from 'node:fs/promises';
import { isUsable, listSets, newestUsable, readManifest } from '../../adapters/backup/repository.ts';
import { freeBytes } from '../../adapters/files/disk.ts';
import { formatBytes } from '../../domain/duration.ts';
import { doubtful, fine, wrong, type Finding } from '../../domain/doctor.ts';
import { checkPart, withoutCopies } from '../open-set.ts';
import { serves } from '../site.ts';
import type { Host } from './host.ts';

/** The repository as this host sees it: reached, whole, large enough, and to be opened with our key. */

export async function checkRepository(host: Host): Promise<Finding[]> {
  const { deployment, deploymentName, where } = host;
  const { repository } = deployment.backup;
  const sets = await listSets(deployment.backup, deploymentName);
  const found: Finding[] = [];
  // Where backups are made. A spare site may be let in to read only.
  if (host.live) {
    const folders = [
      repository,
      ...(deployment.backup.pgbackrest ? [deployment.backup.pgbackrest.repository] : []),
    ];
    for (const folder of folders) {
      const problem = await access(folder, constants.W_OK).then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      if (problem !== undefined)
        found.push(wrong('repository', where, `${folder} cannot be written: ${problem}`));
    }
  }
  const odd = sets.filter((set) => !isUsable(set));
  for (const { set, state } of odd) found.push(doubtful('repository', where, `${set} is ${state}`));
  const usable = sets.length - odd.length;
  return found.length > 0 ? found : [fine('repository', where, `${usable} whole sets in ${repository}`)];
}

export async function checkDecryption(host: Host): Promise<Finding[]> {
  const { deployment, deploymentName: name, where, signal } = host;
  const set = await newestUsable(deployment.backup, name);
  if (set === undefined) return [doubtful('decryption', where, 'not measured: there is no usable set')];
  const { manifest } = await readManifest(deployment.backup, name, set);
  const smallest = [...manifest.objects].sort((a, b) => a.cipher.bytes - b.cipher.bytes)[0];
  if (!smallest) return [doubtful('decryption', where, `not measured: ${set} has no objects`)];
  // Here and now, without the help of an off-site copy.
  const cache = join(host.site.stateDir, 'from-copies');
  await checkPart(
    { deployment: withoutCopies(deployment), name, set, signal, cache, secret: host.secret },
    manifest,
    smallest.name,
  );
  return [fine('decryption', where, `${smallest.name} of ${set} opens`)];
}

/** Old and restored data stand side by side, with room for sort files and WAL. */
const MARGIN = 1.2;

export async function checkSpace(host: Host): Promise<Finding[]> {
  const { worker, site, deployment, deploymentName, where } = host;
  const set = await newestUsable(deployment.backup, deploymentName);
  if (set === undefined) return [doubtful('space', where, 'not measured: there is no usable set')];
  const { manifest } = await readManifest(deployment.backup, deploymentName, set);
  const redisBytes = manifest.objects.find(({ name }) => name === 'redis')?.plain.bytes;
  const sealedBytes = manifest.objects.reduce((sum, { cipher }) => sum + cipher.bytes, 0);
  const places: [string, number | undefined][] = [
    [deployment.backup.repository, sealedBytes],
    ...(['redis', 'database'] as const).map((store): [string, number | undefined] => [
      site[store]?.dataDir ?? '',
      serves(worker, site, site[store])
        ? store === 'redis'
          ? redisBytes
          : manifest.database?.databaseBytes
        : undefined,
    ]),
  ];
  const found: Finding[] = [];
  const enough: string[] = [];
  for (const [path, bytes] of places) {
    if (bytes === undefined) continue;
    const neededBytes = Math.ceil(bytes * MARGIN);
    const free = await freeBytes(path);
    const text = `${path}: ${formatBytes(free)} free, ${formatBytes(neededBytes)} needed`;
    if (free < neededBytes) found.push(wrong('space', where, text));
    else enough.push(text);
  }
  return found.length > 0 ? found : [fine('space', where, enough.join('; '))];
}
