import { PassThrough } from 'node:stream';
import { openObject } from '../adapters/backup/open.ts';
import {
  isUsable,
  listSets,
  readManifest,
  setFolder,
  verifyObjects,
  writeManifest,
} from '../adapters/backup/repository.ts';
import { noteMade } from '../adapters/backup/unfinished.ts';
import { requireFree } from '../adapters/files/disk.ts';
import type { RewrapResult } from '../domain/backup.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { rewrappedId, type Manifest, type ManifestObject } from '../domain/manifest.ts';
import { chosenSet } from './chosen-set.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';
import { beginPart } from './leftovers.ts';
import { checkPart, requestFor, setOf } from './open-set.ts';
import { sealObject } from './seal-object.ts';

/**
 * Seals the content of a set anew, for the recipients of today: a new set with a manifest of its own. Each object goes
 * from one age through us to another; nothing of it touches a disk in the clear. The old set stays as it is.
 */

export function createRewrapActivities(deps: Deps, version: string) {
  return { 'rewrap-set': guardedBackup(deps, (call) => rewrapSet(call, version)) };
}

/** @throws DrError NO_BACKUP, WRONG_AGE_KEY, OBJECT_DAMAGED, DISK_TOO_SMALL */
async function rewrapSet(asked: BackupCall, version: string): Promise<RewrapResult> {
  const { deployment, input } = asked;
  const { backup } = deployment;
  const old = await chosenSet(asked);
  const { manifest } = await readManifest(backup, input.deployment, old);
  const { recipients } = backup;
  if (isFor(manifest, recipients))
    return { summary: `${old} is sealed for the present recipients already`, set: old, observed: true };
  const others = (await listSets(backup, input.deployment)).filter(isUsable);
  for (const { set } of others) {
    const other = (await readManifest(backup, input.deployment, set)).manifest;
    if (other.rewrapOf === old && isFor(other, recipients))
      return { summary: `${set} has its content for the present recipients`, set, observed: true };
  }
  const taken = new Set(others.map(({ set }) => set));
  const set = rewrappedId(old, (id) => taken.has(id));
  const call: BackupCall = { ...asked, input: { ...input, set } };
  await beginPart(call);
  const folder = setFolder(backup, input.deployment, set);
  await requireFree(folder, bytesOf(manifest));
  const objects: ManifestObject[] = [];
  for (const object of manifest.objects) {
    call.progress(`sealing ${object.name} anew`);
    objects.push(await rewrapObject(call, manifest, object));
  }
  const fresh: Manifest = {
    ...manifest,
    ...{ set, recipients, objects, rewrapOf: old },
    tool: { name: 'tyk-dr', version },
  };
  await verifyObjects(folder, fresh);
  // One of ours must open what is to take the place of the old set.
  for (const { name } of objects) {
    call.progress(`opening ${name}`);
    await checkPart(setOf(call), fresh, name);
  }
  await writeManifest(backup, fresh, await call.secret(backup.signingKey));
  await noteMade(folder);
  return {
    summary: `${set} has the content of ${old} for ${recipients.length} recipients: ${objects.length} objects, ${formatBytes(bytesOf(fresh))}`,
    set,
  };
}

async function rewrapObject(
  call: BackupCall,
  old: Manifest,
  object: ManifestObject,
): Promise<ManifestObject> {
  const request = await requestFor(setOf(call, old.set), old, object.name);
  const through = new PassThrough();
  const opening = openObject(request, through).catch((error: unknown) => {
    // Whoever seals what comes through must not wait for more, nor take its end for the object's.
    through.destroy(error as Error);
    throw error;
  });
  const [opened, sealed] = await Promise.allSettled([opening, sealObject(call, object.name, through)]);
  if (opened.status === 'rejected') throw opened.reason;
  if (sealed.status === 'rejected') throw sealed.reason;
  const { plain } = sealed.value;
  if (plain.sha256 === object.plain.sha256) return sealed.value;
  throw new DrError('OBJECT_DAMAGED', {
    object: object.name,
    set: old.set,
    reason: 'what came through is not what was sealed',
  });
}

function isFor(manifest: Manifest, recipients: readonly string[]): boolean {
  return [...manifest.recipients].sort().join() === [...recipients].sort().join();
}

function bytesOf({ objects }: Manifest): number {
  return objects.reduce((sum, { cipher }) => sum + cipher.bytes, 0);
}
