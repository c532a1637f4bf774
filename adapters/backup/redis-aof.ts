import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BackupConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { SET_ID } from '../../domain/manifest.ts';
import { AOF_FORMAT, type AofChain } from '../../domain/redis-aof.ts';
import type { Secret } from '../../domain/secret.ts';
import { readSigned, writeSigned } from './signed.ts';

/**
 * Shipped append-only logs, beside the sets of their deployment: `redis-aof/<chain>/`. Each piece comes with a new list,
 * under a name of its own: a list and its signature are never replaced, so that no crash leaves a pair that differs.
 */

const LIST = /^list-\d{6}\.json$/;
const listName = (pieces: number): string => `list-${String(pieces).padStart(6, '0')}.json`;

export function chainFolder(
  { repository }: Pick<BackupConfig, 'repository'>,
  deployment: string,
  chain = '',
): string {
  return join(repository, deployment, 'redis-aof', chain);
}

/** Ids, newest first. */
export async function listChains(
  config: Pick<BackupConfig, 'repository'>,
  deployment: string,
): Promise<string[]> {
  const names = await readdir(chainFolder(config, deployment)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new DrError('REPOSITORY_UNREADABLE', {
      path: chainFolder(config, deployment),
      reason: error.code ?? error.message,
    });
  });
  return names
    .filter((name) => SET_ID.test(name))
    .sort()
    .reverse();
}

/** Undefined where its first piece never came to be. @throws DrError MANIFEST_UNSIGNED, MANIFEST_ALTERED, BACKUP_OF_ANOTHER */
export async function readChain(
  config: Pick<BackupConfig, 'repository' | 'trustedKeys'>,
  deployment: string,
  chain: string,
): Promise<AofChain | undefined> {
  const folder = chainFolder(config, deployment, chain);
  const newest = (await readdir(folder).catch(() => []))
    .filter((name) => LIST.test(name))
    .sort()
    .at(-1);
  const bytes = newest && (await readSigned(config, folder, newest, chain));
  if (!bytes) return undefined;
  const shape = CHAIN_SHAPE.safeParse(JSON.parse(bytes.toString('utf8')));
  if (!shape.success)
    throw new DrError('MANIFEST_ALTERED', { set: chain, reason: `it is not a ${AOF_FORMAT}` });
  const read = shape.data as unknown as AofChain;
  if (read.deployment !== deployment)
    throw new DrError('BACKUP_OF_ANOTHER', { set: chain, actual: read.deployment, expected: deployment });
  if (read.chain !== chain)
    throw new DrError('MANIFEST_ALTERED', { set: chain, reason: `it is the list of ${read.chain}` });
  return read;
}

export async function writeChain(
  config: Pick<BackupConfig, 'repository'>,
  chain: AofChain,
  signingKey: Secret,
): Promise<void> {
  const folder = chainFolder(config, chain.deployment, chain.chain);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = listName(chain.pieces.length);
  await writeSigned(folder, name, chain, signingKey);
  const old = (await readdir(folder)).filter((other) => LIST.test(other) && other < name);
  // Where nothing may be deleted they stay: the newest counts.
  for (const list of old)
    for (const file of [list, `${list}.sig`]) await rm(join(folder, file)).catch(() => undefined);
}

/**
 * Lists before pieces: from then on it is no log, and the next call goes on where a killed one stopped.
 * Tolerates one that is gone already.
 */
export async function deleteChain(
  config: Pick<BackupConfig, 'repository'>,
  deployment: string,
  chain: string,
): Promise<void> {
  const folder = chainFolder(config, deployment, chain);
  for (const name of await readdir(folder).catch(() => [] as string[]))
    if (name.startsWith('list-')) await rm(join(folder, name), { force: true });
  await rm(folder, { recursive: true, force: true });
}

const FILE = z.string().regex(/^[a-z0-9][a-z0-9.-]*$/);
const FINGERPRINT = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });
const CHAIN_SHAPE = z.looseObject({
  format: z.literal(AOF_FORMAT),
  chain: z.string().regex(SET_ID),
  deployment: z.string(),
  site: z.string(),
  pieces: z.array(
    z.looseObject({
      object: z.object({ name: z.string(), file: FILE, plain: FINGERPRINT, cipher: FINGERPRINT }),
      kind: z.enum(['base', 'incr']),
      name: FILE,
      sequence: z.int(),
      from: z.int(),
      to: z.int(),
      holdsUntil: z.string(),
      readAt: z.string(),
    }),
  ),
});
