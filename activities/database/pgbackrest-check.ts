import { checkIdentity, checkMajorVersion } from '../../adapters/postgres/control.ts';
import { compareLsn } from '../../adapters/postgres/lsn.ts';
import { repositoryFolder } from '../../adapters/postgres/pgbackrest-config.ts';
import { verifyRepositoryFiles, type RepositoryFile } from '../../adapters/postgres/repository-files.ts';
import { clusterOf, physicalFacts } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { Proof } from '../../domain/run.ts';
import type { SecretRef } from '../../domain/secret.ts';
import { requireRepository } from '../endpoints.ts';
import type { Call } from '../guard.ts';
import { readPart, setOf } from '../open-set.ts';
import { proof } from '../proofs.ts';
import { requireTool } from '../require-tool.ts';

/** Whether a physical restore can succeed, asked before the first effect. */

export function secrets({ target, deployment }: Call): (SecretRef | undefined)[] {
  const { password, admin } = clusterOf(target);
  return [password, admin.password, deployment.backup.pgbackrest?.passphrase];
}

/** Every file of the backup and its WAL. */
export async function checkBackup(call: Call, manifest: Manifest): Promise<Proof[]> {
  const files = await readPart<RepositoryFile[]>(setOf(call), manifest, 'pgbackrest-files');
  const repository = requireRepository(call.deployment.backup);
  const root = repositoryFolder(repository, physicalFacts(manifest).generation);
  call.progress('verifying the database repository');
  await verifyRepositoryFiles(root, files, manifest.set, { signal: call.signal });
  const count = files.length;
  return [proof('every file of the database backup and its WAL has its digest', true, count, count)];
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
