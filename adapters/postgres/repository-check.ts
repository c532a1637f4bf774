import { dirname, join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { PostgresFacts } from '../../domain/manifest.ts';
import type { Secret } from '../../domain/secret.ts';
import { archiveChain } from './archive-chain.ts';
import { verifyRepositoryFiles, type RepositoryFile } from './repository-files.ts';
import { checkInfoFiles } from './repository-info.ts';

/** A repository against what a signed set says of it. Needs no pgBackRest: any worker may look. */

export interface RepositoryCheck {
  /** The folder of the generation. */
  readonly root: string;
  readonly set: string;
  readonly facts: PostgresFacts;
  /** From the sealed object of the set. */
  readonly files: readonly RepositoryFile[];
  readonly passphrase: Secret;
}

export interface CheckedRepository {
  /** Damage that a restore gets along with, in words. */
  readonly doubts: readonly string[];
  /** The first WAL segment behind the set that is gone although later ones are there. */
  readonly walGap?: string;
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, REPOSITORY_UNREADABLE */
export async function checkRepository(
  check: RepositoryCheck,
  signal?: AbortSignal,
): Promise<CheckedRepository> {
  await verifyRepositoryFiles(check.root, check.files, check.set, { signal });
  return checkBesides(check);
}

/** What the set does not list: pgBackRest's catalogues, and the WAL behind the set. */
export async function checkBesides({
  root,
  set,
  facts,
  files,
  passphrase,
}: RepositoryCheck): Promise<CheckedRepository> {
  const doubts = await checkInfoFiles(root, facts.stanza, passphrase, set);
  const first = files.find(({ path }) => path.startsWith('archive/') && path.includes(facts.walStart));
  if (!first) throw new DrError('OBJECT_MISSING', { object: `WAL segment ${facts.walStart}`, set });
  // archive/STANZA/15-1/0000000100000000/SEGMENT: the archive is two levels up.
  const { missing } = await archiveChain(join(root, dirname(dirname(first.path))), facts);
  return { doubts, ...(missing === undefined ? {} : { walGap: missing }) };
}
