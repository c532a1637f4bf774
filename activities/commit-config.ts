import { join } from 'node:path';
import { readAttestation, readManifest } from '../adapters/backup/repository.ts';
import { knownSecrets } from '../adapters/versioned/references.ts';
import { commitSet } from '../adapters/versioned/commit-set.ts';
import { filesOfSet } from '../adapters/versioned/set-files.ts';
import type { CommitResult } from '../domain/backup.ts';
import { DrError } from '../domain/errors.ts';
import { snapshotKind } from '../domain/snapshot.ts';
import { chosenSet } from './chosen-set.ts';
import type { BackupCall } from './guard.ts';

/**
 * Keeps what a set holds of configuration and definitions in the user's git repository, without its secrets. Calling
 * it again finds the commit; a set that has been verified meanwhile gets its tag. It never fails: the set is sound
 * without it, and what went wrong is a warning.
 */
export async function commitConfig(call: BackupCall): Promise<CommitResult> {
  try {
    return { summary: await commit(call) };
  } catch (error) {
    call.signal.throwIfAborted();
    const reason = error instanceof DrError ? error.message : `unexpected: ${String(error)}`;
    return { summary: 'not committed', warning: `the configuration was not committed to git: ${reason}` };
  }
}

async function commit(call: BackupCall): Promise<string> {
  const { deployment, input, site, signal, secret } = call;
  const { backup } = deployment;
  if (!backup.git) return 'no git repository is configured';
  const set = await chosenSet(call);
  // A snapshot is committed while a set may be: each has places of its own.
  const own = snapshotKind(set) === undefined ? '' : '-snapshot';
  const signed = await readManifest(backup, input.deployment, set);
  const { manifest } = signed;
  const known = await knownSecrets(deployment, manifest.site, secret);
  call.progress('reading the set');
  const { files } = await filesOfSet({
    backup,
    manifest,
    identity: await secret(backup.identity),
    fingerprintKey: await secret(backup.signingKey),
    known,
    scratch: join(site.stateDir, `commit-config${own}`),
    signal,
  });
  call.progress('committing');
  return commitSet({
    git: backup.git,
    copy: join(site.stateDir, `config${own}.git`),
    deployment: input.deployment,
    site: manifest.site,
    set,
    run: input.run,
    createdAt: manifest.createdAt,
    verified: (await readAttestation(backup, input.deployment, signed)) !== undefined,
    files,
    secrets: known.map(({ value }) => value),
    signal,
  });
}
