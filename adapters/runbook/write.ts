import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import {
  RUNBOOK_FOLDER,
  RUNBOOK_FORMAT,
  type ExportedRunbook,
  type RunbookList,
} from '../../domain/exported.ts';
import type { Secret } from '../../domain/secret.ts';
import { readSigned, writeSigned } from '../backup/signed.ts';
import { fileError } from '../files/disk-error.ts';
import { writeDurably } from '../files/durable.ts';

/** Keeps an exported runbook in a folder: each file whole or not at all, the signed list of them last. */

const LIST = 'runbook.json';
const SUMS = 'SHA256SUMS';

export function runbookFolder({ repository }: Pick<BackupConfig, 'repository'>, deployment: string): string {
  return join(repository, deployment, RUNBOOK_FOLDER);
}

/**
 * Removes scripts of sites that are no more, where an earlier export left them.
 *
 * @returns the names of all files. @throws DrError DISK_FAILED
 */
export async function writeRunbook(
  folder: string,
  runbook: ExportedRunbook,
  facts: Omit<RunbookList, 'format' | 'files'>,
  signingKey: Secret | undefined,
): Promise<string[]> {
  const sums: Record<string, string> = {};
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    // Only what an earlier list of ours names: the folder may be anybody's.
    for (const name of await listedBefore(folder))
      if (!(name in runbook.files)) await rm(join(folder, name), { force: true });
    for (const [name, text] of Object.entries(runbook.files)) {
      const file = join(folder, name);
      await writeDurably(file, text, 0o644);
      if (name.endsWith('.sh')) await chmod(file, 0o755);
      sums[name] = createHash('sha256').update(text).digest('hex');
    }
    const lines = Object.entries(sums).map(([name, sum]) => `${sum}  ${name}\n`);
    await writeDurably(join(folder, SUMS), lines.join(''), 0o644);
    const list: RunbookList = { format: RUNBOOK_FORMAT, ...facts, files: sums };
    // An older list would be of other files.
    for (const name of [LIST, `${LIST}.sig`]) await rm(join(folder, name), { force: true });
    if (signingKey) await writeSigned(folder, LIST, list, signingKey);
  } catch (error) {
    throw fileError(folder, error);
  }
  return [...Object.keys(sums), SUMS, ...(signingKey ? [LIST, `${LIST}.sig`] : [])];
}

async function listedBefore(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, SUMS), 'utf8').catch(() => '');
  return text
    .split('\n')
    .flatMap((line) => /^[0-9a-f]{64} {2}(recover-[a-z0-9-]+\.sh)$/.exec(line)?.[1] ?? []);
}

/** The list of the runbook beside the sets; undefined where none is there whole, or nobody whom we trust signed it. */
export async function keptRunbook(
  config: Pick<BackupConfig, 'repository' | 'trustedKeys'>,
  deployment: string,
): Promise<RunbookList | undefined> {
  const folder = runbookFolder(config, deployment);
  const bytes = await readSigned(config, folder, LIST, RUNBOOK_FOLDER).catch(() => undefined);
  if (!bytes) return undefined;
  const list = JSON.parse(bytes.toString('utf8')) as RunbookList;
  for (const [name, sum] of Object.entries(list.files)) {
    const found = await readFile(join(folder, name)).catch(() => Buffer.alloc(0));
    if (createHash('sha256').update(found).digest('hex') !== sum) return undefined;
  }
  return list.deployment === deployment ? list : undefined;
}
