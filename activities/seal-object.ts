import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createSet } from '../adapters/backup/repository.ts';
import { sealStream } from '../adapters/backup/seal.ts';
import type { ManifestObject } from '../domain/manifest.ts';
import type { BackupCall } from './guard.ts';

/** One object of the set being made, sealed for every recipient. */
export async function sealObject(call: BackupCall, name: string, source: Readable): Promise<ManifestObject> {
  const { deployment, input, signal } = call;
  const folder = await createSet(deployment.backup, input.deployment, input.set);
  const file = `${name}.zst.age`;
  return {
    name,
    file,
    ...(await sealStream(source, join(folder, file), deployment.backup.recipients, signal)),
  };
}
