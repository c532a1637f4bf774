import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import {
  checkObject,
  checkSealed,
  openIntoFile,
  openObject,
  type OpenRequest,
} from '../adapters/backup/open.ts';
import { setFolder } from '../adapters/backup/repository.ts';
import { digestsOf } from '../adapters/backup/send.ts';
import type { BackupConfig, Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { Secret, type SecretRef } from '../domain/secret.ts';
import { composed, type SnapshotKind } from '../domain/snapshot.ts';
import type { CountedFacts } from '../adapters/redis/facts.ts';
import type { Manifest, ManifestObject, RedisFacts, RedisSample } from '../domain/manifest.ts';
import { fetchObject, locateManifest, type Asking, type LocatedSet } from './copies.ts';
import type { BackupCall, Call } from './guard.ts';
import { withPlantedSet } from './planted.ts';

/** Reads parts of a set. The manifest is verified anew each time: what a step trusts it has seen signed itself. */

export interface Where extends Asking {
  readonly set: string | undefined;
  readonly signal: AbortSignal;
}

/** The set that a step of a recovery or of a backup works with. */
export function setOf(call: Call | BackupCall, set = call.input.set): Where {
  const { input, signal, secret } = call;
  const name = 'plan' in input ? input.plan.deployment : input.deployment;
  const { stateDir } = 'target' in call ? call.target : call.site;
  const cache = join(stateDir, 'from-copies');
  if ('plan' in input && 'target' in call)
    return {
      deployment: withPlantedSet(call.deployment, call.target, input.plan),
      ...{ name, set, signal, secret, cache },
    };
  if ('plan' in input) throw new Error('a step of a recovery has a target');
  if (input.copy === undefined)
    return { deployment: withoutCopies(call.deployment), name, set, signal, secret, cache };
  // Gone with what else a proof leaves.
  const own = join(stateDir, `verify-${input.set}-copy`);
  const deployment = onlyCopy(call.deployment, input.copy, own);
  return { deployment, name, set, signal, secret, cache: own, alone: true };
}

/** The snapshot that a store of a recovery comes from, or else the set. */
export function storeOf(call: Call, store: SnapshotKind): Where {
  return { ...setOf(call), set: call.input.snapshots?.[store] ?? call.input.set };
}

/** What the recovery restores, from its set and its snapshots: facts for those who look at all of it. */
export async function recoveryManifest(call: Call): Promise<Manifest> {
  const { manifest } = await manifestOf(setOf(call));
  const of = async (kind: SnapshotKind): Promise<Manifest | undefined> =>
    call.input.snapshots?.[kind] === undefined ? undefined : (await manifestOf(storeOf(call, kind))).manifest;
  const [redis, config] = await Promise.all([of('redis'), of('config')]);
  return composed(manifest, { ...(redis ? { redis } : {}), ...(config ? { config } : {}) });
}

/** What is proven, or copied, is what lies here: only a recovery is helped by an off-site copy. */
export function withoutCopies(deployment: Deployment): Deployment {
  return { ...deployment, backup: { ...deployment.backup, copies: [] } };
}

/** One copy alone, as if the repository were gone. @param scratch a folder in which nothing is called `none`. */
export function onlyCopy(deployment: Deployment, copy: string, scratch: string): Deployment {
  const { backup } = deployment;
  const none = join(scratch, 'none');
  return {
    ...deployment,
    backup: {
      ...backup,
      repository: none,
      copies: backup.copies.filter(({ name }) => name === copy),
      ...(backup.pgbackrest ? { pgbackrest: { ...backup.pgbackrest, repository: none } } : {}),
    },
  };
}

export async function manifestOf(where: Where): Promise<LocatedSet> {
  if (where.set === undefined) throw new Error('no backup set was chosen before this step');
  return locateManifest(where, where.set);
}

/** What the sink has received must not come twice: whether the object is whole is looked at before. */
export async function openPart(
  where: Where,
  manifest: Manifest,
  objectName: string,
  sink: Writable,
): Promise<void> {
  const request = await requestFor(where, manifest, objectName);
  if (where.deployment.backup.copies.length === 0) return openObject(request, sink);
  const { file, cipher } = request.object;
  const found = await digestsOf(join(request.folder, file), ['sha256'], where.signal);
  if (found?.digests[0] === cipher.sha256) return openObject(request, sink);
  const damage = new DrError('OBJECT_DAMAGED', {
    object: objectName,
    set: manifest.set,
    reason: 'the SHA-256 of the sealed bytes differs',
  });
  const folder = await fetchObject(where, manifest, request.object, damage);
  await openObject({ ...request, folder }, sink);
}

/** For an object of any size; see `openIntoFile`. */
export async function openPartIntoFile(
  where: Where,
  manifest: Manifest,
  objectName: string,
  file: string,
): Promise<void> {
  await orFromCopy(where, manifest, objectName, (request) => openIntoFile(request, file));
}

/** Opens it to nowhere. */
export async function checkPart(where: Where, manifest: Manifest, objectName: string): Promise<void> {
  await orFromCopy(where, manifest, objectName, (request) => {
    if (request.object.plain.bytes > LARGE_BYTES) return checkObject(request);
    return openObject(request, new Writable({ write: (_chunk, _encoding, done) => done() }));
  });
}

/** Damage of the sealed bytes costs no decryption to be found; the large are hashed while they are opened. */
export async function checkSealedParts(where: Where, manifest: Manifest): Promise<void> {
  const folder = setFolder(where.deployment.backup, where.name, manifest.set);
  for (const object of manifest.objects)
    if (object.cipher.bytes <= LARGE_BYTES) await checkSealed({ folder, set: manifest.set, object });
}

/** `checkObject` waits for its bytes in a thread that file reads of others would have: worth it only for many. */
const LARGE_BYTES = 8 << 20;

/** For work that may begin again: where the object turns out to be damaged, once more with that of a copy. */
async function orFromCopy(
  where: Where,
  manifest: Manifest,
  objectName: string,
  work: (request: OpenRequest) => Promise<void>,
): Promise<void> {
  const request = await requestFor(where, manifest, objectName);
  try {
    await work(request);
  } catch (error) {
    const damaged = error instanceof DrError && /^OBJECT_(DAMAGED|MISSING)$/.test(error.code);
    if (!damaged) throw error;
    const folder = await fetchObject(where, manifest, request.object, error);
    await work({ ...request, folder });
  }
}

/** How an object is opened: with every identity, from where it is whole by its size. */
export async function requestFor(where: Where, manifest: Manifest, objectName: string): Promise<OpenRequest> {
  const object = manifest.objects.find((candidate) => candidate.name === objectName);
  if (!object) throw new DrError('OBJECT_MISSING', { object: objectName, set: manifest.set });
  return {
    folder: await folderOf(where, manifest, object),
    set: manifest.set,
    object,
    identity: await everyIdentity(where),
    signal: where.signal,
  };
}

export function identitiesOf({ identity, otherIdentities }: BackupConfig): SecretRef[] {
  return [identity, ...otherIdentities];
}

/** age tries one after the other: sets of before a rotation open as those after it do. */
async function everyIdentity(where: Where): Promise<Secret> {
  const all = await Promise.all(
    identitiesOf(where.deployment.backup).map((reference) => where.secret(reference)),
  );
  return all.length === 1 ? all[0]! : new Secret(all.map((identity) => identity.reveal()).join('\n'));
}

/** What was fetched for this run, then the repository, then the copies. */
async function folderOf(where: Where, manifest: Manifest, object: ManifestObject): Promise<string> {
  const local = setFolder(where.deployment.backup, where.name, manifest.set);
  if (where.deployment.backup.copies.length === 0) return local;
  const sizeIn = async (folder: string): Promise<number | undefined> =>
    (await stat(join(folder, object.file)).catch(() => undefined))?.size;
  const fetched = setFolder({ repository: where.cache }, where.name, manifest.set);
  if ((await sizeIn(fetched)) === object.cipher.bytes) return fetched;
  const size = await sizeIn(local);
  if (size === object.cipher.bytes) return local;
  const details = { object: object.name, set: manifest.set };
  const damage =
    size === undefined
      ? new DrError('OBJECT_MISSING', details)
      : new DrError('OBJECT_DAMAGED', {
          ...details,
          reason: `${size} bytes instead of ${object.cipher.bytes}`,
        });
  return fetchObject(where, manifest, object, damage);
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
