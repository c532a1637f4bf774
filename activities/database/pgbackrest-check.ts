import { checkIdentity, checkMajorVersion } from '../../adapters/postgres/control.ts';
import { compareLsn } from '../../adapters/postgres/lsn.ts';
import { repositoryFolder } from '../../adapters/postgres/pgbackrest-config.ts';
import {
  checkRepository,
  type CheckedRepository,
  type RepositoryCheck,
} from '../../adapters/postgres/repository-check.ts';
import type { RepositoryFile } from '../../adapters/postgres/repository-files.ts';
import { clusterOf, physicalFacts } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import type { SecretRef } from '../../domain/secret.ts';
import { discardAssembled, proveDatabaseSource } from '../database-source.ts';
import { requireRepository } from '../endpoints.ts';
import type { BackupCall, Call } from '../guard.ts';
import type { Note } from './method.ts';
import { readPart, setOf, type Where } from '../open-set.ts';
import { proof } from '../proofs.ts';
import { requireTool } from '../require-tool.ts';

/** Whether a physical restore can succeed, asked before the first effect. */

export function secrets({ target, deployment }: Call): (SecretRef | undefined)[] {
  const { password, admin } = clusterOf(target);
  return [password, admin.password, deployment.backup.pgbackrest?.passphrase];
}

/** Every file of the backup and its WAL, both copies of the repository's own keys, and the WAL behind the set. */
export async function checkBackup(call: Call | BackupCall, manifest: Manifest, note: Note): Promise<Proof[]> {
  const where: Where = { ...setOf(call), note: (text) => note('copy', text) };
  call.progress('verifying the database repository');
  const check = await repositoryCheck(call, where, manifest);
  const { doubts, walGap } =
    where.deployment.backup.copies.length === 0
      ? await checkRepository(check, call.signal)
      : await proveAnew(call, where, check);
  for (const doubt of doubts) note('damage', doubt);
  if (walGap !== undefined) note('wal-gap', walGap);
  const count = check.files.length;
  return [proof('every file of the database backup and its WAL has its digest', true, count, count)];
}

/** The configured repository against what the set says of it. */
export async function repositoryCheck(
  call: Call | BackupCall,
  where: Where,
  manifest: Manifest,
): Promise<RepositoryCheck> {
  const repository = requireRepository(where.deployment.backup);
  const facts = physicalFacts(manifest);
  return {
    root: repositoryFolder(repository, facts.generation),
    set: manifest.set,
    facts,
    files: await readPart<RepositoryFile[]>(where, manifest, 'pgbackrest-files'),
    passphrase: await call.secret(repository.passphrase),
  };
}

/** Of a recovery, which takes from the off-site copies what is not whole here. */
async function proveAnew(
  call: Call | BackupCall,
  asking: Where,
  check: RepositoryCheck,
): Promise<CheckedRepository> {
  const config = clusterOf('target' in call ? call.target : call.site);
  if (!asking.alone) await discardAssembled(config);
  return proveDatabaseSource({ asking, check, config, onProgress: call.progress });
}

export async function checkTools({ target }: Call, manifest: Manifest): Promise<Proof[]> {
  const facts = physicalFacts(manifest);
  await requireTool('pgbackrest');
  const actual = await checkMajorVersion(clusterOf(target).binDir, facts.majorVersion);
  return [proof('PostgreSQL is of the backup’s major version', true, facts.version, actual)];
}

export function disk({ target }: Call): string {
  return clusterOf(target).dataDir;
}

/** Judged by its files, before anything is touched. */
export async function checkWarm({ input, target }: Call, manifest: Manifest): Promise<Proof[]> {
  const { binDir, dataDir, runAs } = clusterOf(target);
  const set = physicalFacts(manifest);
  const cold = (reason: string): DrError =>
    new DrError('TARGET_COLD', { site: input.plan.to, component: 'database', reason });
  const control = await checkIdentity({ binDir, dataDir, user: runAs }, set.systemIdentifier);
  if (!control) throw cold(`${dataDir} holds no data`);
  const reached = `timeline ${control.timeline}, ${control.checkpointLsn}`;
  const needed = `timeline ${set.timeline}, ${set.restorePointLsn}`;
  const behind =
    control.timeline < set.timeline ||
    // After a crash the last checkpoint is not the end of what the server has: only a clean stop can be judged by it.
    (control.timeline === set.timeline &&
      control.state === 'shut down' &&
      compareLsn(control.checkpointLsn, set.restorePointLsn) < 0);
  if (behind) throw cold(`${dataDir} ends at ${reached}, before the backup set at ${needed}`);
  return [proof('the database, which is not restored, is not behind the backup set', true, needed, reached)];
}
