import type { Writable } from 'node:stream';
import { openObject } from '../adapters/backup/open.ts';
import { readManifest, setFolder, type SignedManifest } from '../adapters/backup/repository.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';

/** Reads parts of a set. The manifest is verified anew each time: what a step trusts it has seen signed itself. */

interface Where {
  readonly deployment: Deployment;
  readonly name: string;
  readonly set: string | undefined;
  readonly signal: AbortSignal;
  secret(reference: SecretRef): Promise<Secret>;
}

export async function manifestOf({
  deployment,
  name,
  set,
}: Omit<Where, 'signal' | 'secret'>): Promise<SignedManifest> {
  if (set === undefined) throw new Error('no backup set was chosen before this step');
  return readManifest(deployment.backup, name, set);
}

export async function openPart(
  where: Where,
  manifest: Manifest,
  objectName: string,
  sink: Writable,
): Promise<void> {
  const object = manifest.objects.find((candidate) => candidate.name === objectName);
  if (!object) throw new DrError('OBJECT_MISSING', { object: objectName, set: manifest.set });
  await openObject(
    {
      folder: setFolder(where.deployment.backup, where.name, manifest.set),
      set: manifest.set,
      object,
      identity: await where.secret(where.deployment.backup.identity),
      signal: where.signal,
    },
    sink,
  );
}
