import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copyFolders } from '../adapters/backup/copy-record.ts';
import { fetchFiles, fetchUnproven, idsAt } from '../adapters/backup/fetch.ts';
import {
  readAttestation,
  readManifest,
  setFolder,
  type SignedManifest,
} from '../adapters/backup/repository.ts';
import { requireFree } from '../adapters/files/disk.ts';
import { openRemote, type Remote } from '../adapters/rclone/remote.ts';
import type { Deployment } from '../domain/config.ts';
import type { CopyConfig } from '../domain/config-copies.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest, ManifestObject } from '../domain/manifest.ts';
import type { Secret, SecretRef } from '../domain/secret.ts';

/**
 * The way out where the repository is damaged or away: the off-site copies, in the order of the configuration. What
 * comes from one is kept beside the site for the run, and counts only with the digest of the signed manifest.
 */

export interface Asking {
  readonly deployment: Deployment;
  readonly name: string;
  /** Where what was fetched is kept. */
  readonly cache: string;
  readonly signal?: AbortSignal | undefined;
  secret(reference: SecretRef): Promise<Secret>;
  /** Only one copy is asked, on purpose: that the repository has nothing is no damage. */
  readonly alone?: boolean;
  /** Hears what came from where, and why. */
  readonly note?: ((text: string) => void) | undefined;
}

/** A signed manifest, and the repository that it was read from: the configured one, or what was fetched. */
export interface LocatedSet extends SignedManifest {
  readonly repository: string;
}

/** The attestation that lies beside the manifest; one that is damaged proves nothing. */
export function attestationOf({ deployment, name }: Asking, located: LocatedSet) {
  const config = { ...deployment.backup, repository: located.repository };
  return readAttestation(config, name, located).catch((error: unknown) => {
    if (located.repository === deployment.backup.repository) throw error;
    return undefined;
  });
}

/** @throws DrError what the repository itself said, with what each copy said */
export async function locateManifest(asking: Asking, set: string): Promise<LocatedSet> {
  const { deployment, name, cache } = asking;
  const { repository } = deployment.backup;
  try {
    return { ...(await readManifest(deployment.backup, name, set)), repository };
  } catch (error) {
    const kept = await readManifest({ ...deployment.backup, repository: cache }, name, set).catch(
      () => undefined,
    );
    if (kept) return { ...kept, repository: cache };
    return fromCopies(asking, error, `the manifest of ${set}`, (remote) =>
      fetchManifest(asking, remote, set),
    );
  }
}

/** Signed files are looked at before they take their place. */
async function fetchManifest(asking: Asking, remote: Remote, set: string): Promise<LocatedSet> {
  const { deployment, name, cache, signal } = asking;
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(join(cache, '.manifest-'));
  try {
    const into = setFolder({ repository: draft }, name, set);
    const names = ['manifest.json', 'verified.json'].flatMap((file) => [`${file}.sig`, file]);
    await fetchUnproven({ remote, folder: copyFolders(name, set).set, into, signal }, names);
    const signed = await readManifest({ ...deployment.backup, repository: draft }, name, set);
    const place = setFolder({ repository: cache }, name, set);
    await mkdir(place, { recursive: true, mode: 0o700 });
    for (const file of names) await rename(join(into, file), join(place, file)).catch(() => undefined);
    return { ...signed, repository: cache };
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Objects on their way: whoever needs the same one waits for it. */
const underWay = new Map<string, Promise<string>>();

/** @returns the folder that holds the object then. @throws the damage, with what each copy said */
export function fetchObject(
  asking: Asking,
  manifest: Manifest,
  object: ManifestObject,
  damage: unknown,
): Promise<string> {
  const into = setFolder({ repository: asking.cache }, asking.name, manifest.set);
  const key = join(into, object.file);
  const fetching = underWay.get(key) ?? bringObject(asking, manifest, object, into, damage);
  underWay.set(key, fetching);
  const over = (): void => void underWay.delete(key);
  fetching.then(over, over);
  return fetching;
}

function bringObject(
  asking: Asking,
  manifest: Manifest,
  object: ManifestObject,
  into: string,
  damage: unknown,
): Promise<string> {
  const { name, signal } = asking;
  return fromCopies(asking, damage, object.name, async (remote) => {
    await requireFree(into, object.cipher.bytes);
    const folder = copyFolders(name, manifest.set).set;
    const whole = await fetchFiles({ remote, folder, into, signal }, [
      { path: object.file, ...object.cipher },
    ]);
    if (!whole.has(object.file))
      throw new DrError('COPY_UNUSABLE', {
        copy: remote.name,
        reason: `its ${object.name} is missing or damaged`,
      });
    return into;
  });
}

/** A copy that did not answer is not asked again for a while: each time costs a recovery its patience. */
const AWAY_FOR_MS = 60_000;
const away = new Map<string, number>();

/**
 * The first copy that can.
 *
 * @param what came from it, for the note; asked for when it has come.
 * @throws the cause, with what each copy said
 */
export async function fromCopies<T>(
  asking: Asking,
  cause: unknown,
  what: string | (() => string),
  attempt: (remote: Remote, copy: CopyConfig) => Promise<T>,
): Promise<T> {
  const { copies } = asking.deployment.backup;
  if (!(cause instanceof DrError) || copies.length === 0) throw cause;
  const refusals: string[] = [];
  for (const copy of copies) {
    const key = `${asking.name}/${copy.name}`;
    if ((away.get(key) ?? 0) > performance.now()) {
      refusals.push(`${copy.name} did not answer a moment ago`);
      continue;
    }
    try {
      const result = await attempt(await openRemote(copy, (reference) => asking.secret(reference)), copy);
      asking.note?.(
        `${typeof what === 'string' ? what : what()} from the off-site copy ${copy.name}${refusals.length > 0 ? ` (${refusals.join('; ')})` : ''}, because ${cause.message}`,
      );
      return result;
    } catch (error) {
      asking.signal?.throwIfAborted();
      if (!(error instanceof DrError) || error.code === 'DISK_TOO_SMALL') throw error;
      if (error.code === 'COPY_UNUSABLE' && error.cause !== undefined)
        away.set(key, performance.now() + AWAY_FOR_MS);
      refusals.push(error.message);
    }
  }
  throw DrError.told(cause.code, `${cause.message}; ${refusals.join('; ')}`, cause.details);
}

/** Sets and snapshots that the copies hold; a copy that does not answer is noted, and holds nothing that we know of. */
export async function setsAtCopies(asking: Asking): Promise<string[]> {
  const found = await Promise.all(
    asking.deployment.backup.copies.map(async (copy) => {
      try {
        const remote = await openRemote(copy, (reference) => asking.secret(reference));
        return await idsAt(remote, asking.name, asking.signal);
      } catch (error) {
        asking.signal?.throwIfAborted();
        if (!(error instanceof DrError)) throw error;
        away.set(`${asking.name}/${copy.name}`, performance.now() + AWAY_FOR_MS);
        asking.note?.(error.message);
        return [];
      }
    }),
  );
  return [...new Set(found.flat())].sort().reverse();
}

/** Nothing of an earlier run is believed or kept. */
export async function emptyCache({ cache }: Pick<Asking, 'cache'>): Promise<void> {
  await rm(cache, { recursive: true, force: true });
  await mkdir(dirname(cache), { recursive: true });
}
