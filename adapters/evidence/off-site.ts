import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { Repository } from '../backup/signed.ts';
import { hashes, hashKind, listFiles, upload } from '../rclone/rclone.ts';
import type { Remote } from '../rclone/remote.ts';
import { listPacks } from './chain.ts';

/**
 * Brings evidence packs to an off-site copy. One that is there with the same size stays as it is: packs never change,
 * and whoever verifies the chain there sees if one did.
 *
 * @returns how many were sent
 * @throws DrError COPY_UNUSABLE, also where what arrived is not what was sent
 */
export async function sendPacks(
  remote: Remote,
  config: Repository,
  deployment: string,
  signal?: AbortSignal,
): Promise<number> {
  const packs = await listPacks(config, deployment);
  if (packs.length === 0) return 0;
  const folder = `${deployment}/evidence`;
  const there = new Map(
    (await listFiles(remote, folder, { signal })).map(({ path, bytes }) => [path, bytes]),
  );
  const missing: string[] = [];
  for (const pack of packs)
    if (there.get(basename(pack)) !== (await stat(pack)).size) missing.push(basename(pack));
  if (missing.length === 0) return 0;
  const from = dirname(packs[0]!);
  await upload(remote, from, folder, missing, { signal });
  const kind = await hashKind(remote, { signal });
  const how = { kind: kind ?? ('sha256' as const), download: kind === undefined };
  const arrived = await hashes(remote, folder, missing, how, { signal });
  for (const name of missing) {
    const hash = createHash(how.kind)
      .update(await readFile(`${from}/${name}`))
      .digest('hex');
    if (arrived.get(name) !== hash)
      throw new DrError('COPY_UNUSABLE', {
        copy: remote.name,
        reason: `${name} is not there as it was sent`,
      });
  }
  return missing.length;
}
