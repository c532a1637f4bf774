import { Writable } from 'node:stream';
import {
  checkObject,
  checkSealed,
  openIntoFile,
  openObject,
  type OpenRequest,
} from '../adapters/backup/open.ts';
import { readManifest, setFolder, type SignedManifest } from '../adapters/backup/repository.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { CountedFacts } from '../adapters/redis/facts.ts';
import type { Manifest, RedisFacts, RedisSample } from '../domain/manifest.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';
import type { BackupCall, Call } from './guard.ts';

/** Reads parts of a set. The manifest is verified anew each time: what a step trusts it has seen signed itself. */

export interface Where {
  readonly deployment: Deployment;
  readonly name: string;
  readonly set: string | undefined;
  readonly signal: AbortSignal;
  secret(reference: SecretRef): Promise<Secret>;
}

/** The set that a step of a recovery or of a backup works with. */
export function setOf({ deployment, input, signal, secret }: Call | BackupCall): Where {
  const name = 'plan' in input ? input.plan.deployment : input.deployment;
  return { deployment, name, set: input.set, signal, secret };
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
  await openObject(await requestFor(where, manifest, objectName), sink);
}

/** For an object of any size; see `openIntoFile`. */
export async function openPartIntoFile(
  where: Where,
  manifest: Manifest,
  objectName: string,
  file: string,
): Promise<void> {
  await openIntoFile(await requestFor(where, manifest, objectName), file);
}

/** Opens it to nowhere. */
export async function checkPart(where: Where, manifest: Manifest, objectName: string): Promise<void> {
  const request = await requestFor(where, manifest, objectName);
  if (request.object.plain.bytes > LARGE_BYTES) return checkObject(request);
  await openObject(request, new Writable({ write: (_chunk, _encoding, done) => done() }));
}

/** Damage of the sealed bytes costs no decryption to be found; the large are hashed while they are opened. */
export async function checkSealedParts(where: Where, manifest: Manifest): Promise<void> {
  const folder = setFolder(where.deployment.backup, where.name, manifest.set);
  for (const object of manifest.objects)
    if (object.cipher.bytes <= LARGE_BYTES) await checkSealed({ folder, set: manifest.set, object });
}

/** `checkObject` waits for its bytes in a thread that file reads of others would have: worth it only for many. */
const LARGE_BYTES = 8 << 20;

async function requestFor(where: Where, manifest: Manifest, objectName: string): Promise<OpenRequest> {
  const object = manifest.objects.find((candidate) => candidate.name === objectName);
  if (!object) throw new DrError('OBJECT_MISSING', { object: objectName, set: manifest.set });
  return {
    folder: setFolder(where.deployment.backup, where.name, manifest.set),
    set: manifest.set,
    object,
    identity: await where.secret(where.deployment.backup.identity),
    signal: where.signal,
  };
}

/** A small object as JSON. Holds all of it in memory. */
export async function readPart<T>(where: Where, manifest: Manifest, objectName: string): Promise<T> {
  const chunks: Buffer[] = [];
  const collect = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  await openPart(where, manifest, objectName, collect);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}

/** What the backup counted in its Redis, with the samples, which are sealed. */
export async function openRedisFacts(
  where: Where,
  manifest: Manifest,
): Promise<(RedisFacts & CountedFacts) | undefined> {
  if (!manifest.redis) return undefined;
  return { ...manifest.redis, samples: await readPart<RedisSample[]>(where, manifest, 'redis-samples') };
}
