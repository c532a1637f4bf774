import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { namedPack, packName, type KeptPack } from '../../domain/evidence.ts';
import type { Secret } from '../../domain/secret.ts';
import { unlessMissing, type Repository } from '../backup/signed.ts';
import { fileError } from '../files/disk-error.ts';
import { createDurably, writeDurably } from '../files/durable.ts';
import { makePack, openPack, type OpenedPack } from './pack.ts';
import type { Member } from './tar.ts';

/**
 * The packs of a deployment in the backup repository, one after the other: `<repository>/<deployment>/evidence/`. No
 * retention deletes them. `HEAD` names the newest, so that one which is lost from the end is missed.
 */

const HEAD = 'HEAD';

export function evidenceFolder({ repository }: Pick<BackupConfig, 'repository'>, deployment: string): string {
  return join(repository, deployment, 'evidence');
}

/** Files of packs in the order of the chain. @throws DrError REPOSITORY_UNREADABLE */
export async function listPacks(config: Repository, deployment: string): Promise<string[]> {
  const folder = evidenceFolder(config, deployment);
  const names = (await unlessMissing(folder, readdir(folder))) ?? [];
  return names
    .filter((name) => namedPack(name)?.deployment === deployment)
    .sort()
    .map((name) => join(folder, name));
}

/** What one more pack is made of. */
export interface NewPack {
  readonly run: string;
  readonly tool: string;
  readonly members: readonly Member[];
  readonly absent: readonly string[];
}

/** More exporters than this at the same time are not meant. */
const MOST_TRIES = 50;

/**
 * Puts a pack behind the newest one: whoever comes second takes the next number.
 *
 * @throws DrError EVIDENCE_DAMAGED where the newest pack is not what was signed, DISK_FAILED
 */
export async function keepPack(
  config: Repository,
  deployment: string,
  fresh: NewPack,
  signingKey: Secret,
): Promise<KeptPack> {
  const folder = evidenceFolder(config, deployment);
  const { run, tool, members, absent } = fresh;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const before = await newestPack(config, deployment);
      const sequence = (before?.sequence ?? 0) + 1;
      const createdAt = `${new Date().toISOString().slice(0, 19)}Z`;
      const header = { deployment, run, sequence, previous: before?.digest, createdAt, tool };
      const { archive, digest } = makePack(members, header, signingKey);
      const file = join(folder, packName(deployment, sequence));
      if (!(await createDurably(file, archive))) continue;
      await writeDurably(join(folder, HEAD), `${sequence} ${digest}\n`);
      return { file, sequence, digest, bytes: archive.length, members: members.length, absent };
    }
  } catch (error) {
    throw fileError(folder, error);
  }
  throw new DrError('DISK_FAILED', { path: folder, reason: `${MOST_TRIES} others were faster` });
}

interface Newest {
  readonly sequence: number;
  readonly digest: string;
}

/** A chain is continued only behind what is whole: a break must not be hidden by what comes after. */
async function newestPack(config: Repository, deployment: string): Promise<Newest | undefined> {
  const file = (await listPacks(config, deployment)).at(-1);
  const head = await readHead(config, deployment);
  const named = file === undefined ? 0 : namedPack(file.split('/').at(-1)!)!.sequence;
  const refuse = (path: string, reason: string): DrError =>
    new DrError('EVIDENCE_DAMAGED', { file: path, reason });
  if (head && head.sequence > named)
    throw refuse(
      join(evidenceFolder(config, deployment), packName(deployment, head.sequence)),
      'it is missing, and was the newest pack',
    );
  if (file === undefined) return undefined;
  const { index, digest, problems } = openPack(await readFile(file), config.trustedKeys);
  const [problem] = problems;
  if (!index || digest === undefined || problem !== undefined) throw refuse(file, problem ?? 'it is no pack');
  if (index.sequence !== named || index.deployment !== deployment)
    throw refuse(file, `it is pack ${index.sequence} of ${index.deployment}`);
  return { sequence: index.sequence, digest };
}

/** Undefined where there is none yet, or none that can be read: the packs themselves are the truth. */
export async function readHead(config: Repository, deployment: string): Promise<Newest | undefined> {
  const file = join(evidenceFolder(config, deployment), HEAD);
  const text = (await unlessMissing(file, readFile(file, 'utf8'))) ?? '';
  const [, sequence, digest] = /^([1-9]\d{0,5}) ([0-9a-f]{64})\n$/.exec(text) ?? [];
  return digest === undefined ? undefined : { sequence: Number(sequence), digest };
}

/** Opens packs of the repository, one after the other. */
export async function openPacks(config: Repository, files: readonly string[]): Promise<OpenedPack[]> {
  const opened: OpenedPack[] = [];
  for (const file of files) opened.push(openPack(await readFile(file), config.trustedKeys));
  return opened;
}
