import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import {
  SET_ID,
  type Attestation,
  type BelongsTo,
  type Manifest,
  type PostgresFacts,
} from '../../domain/manifest.ts';
import { parseJson } from '../../domain/json.ts';
import type { Secret } from '../../domain/secret.ts';
import { isSetOrSnapshot, type SnapshotKind } from '../../domain/snapshot.ts';
import { parseManifest } from './manifest-shape.ts';
import { readSigned, unlessMissing, writeSigned, type Repository } from './signed.ts';

/**
 * Backup sets on disk: `<repository>/<deployment>/<set>/`. The manifest is written last and its signature before it:
 * where there is a manifest there is a signature, and where there is no manifest there is no backup.
 */

const MANIFEST = 'manifest.json';
const ATTESTATION = 'verified.json';

/** `20261124T031500Z-1f2e`, with the kind of a snapshot behind it: sorts by time. */
export function newSetId(now = new Date(), kind?: SnapshotKind): string {
  const id = `${now.toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}Z-${randomBytes(2).toString('hex')}`;
  return kind === undefined ? id : `${id}-${kind}`;
}

/** Of a set or a snapshot. @throws DrError BAD_ARGUMENT for a name that could lead outside the repository. */
export function setFolder(
  { repository }: Pick<BackupConfig, 'repository'>,
  deployment: string,
  set: string,
): string {
  if (!isSetOrSnapshot(set)) {
    throw new DrError('BAD_ARGUMENT', {
      argument: 'backup set',
      value: set,
      expected: 'an id such as 20261124T031500Z-1f2e, or latest',
    });
  }
  return join(repository, deployment, set);
}

export async function createSet(config: Repository, deployment: string, set: string): Promise<string> {
  const folder = setFolder(config, deployment, set);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

export async function writeManifest(
  config: Repository,
  manifest: Manifest,
  signingKey: Secret,
): Promise<void> {
  await writeSigned(setFolder(config, manifest.deployment, manifest.set), MANIFEST, manifest, signingKey);
}

export async function writeAttestation(
  config: Repository,
  deployment: string,
  attestation: Attestation,
  signingKey: Secret,
): Promise<void> {
  await writeSigned(setFolder(config, deployment, attestation.set), ATTESTATION, attestation, signingKey);
}

export interface SignedManifest {
  readonly manifest: Manifest;
  /** Of the file's bytes: what an attestation is bound to. */
  readonly sha256: string;
}

/** @throws DrError NO_BACKUP, MANIFEST_UNSIGNED, MANIFEST_ALTERED, BACKUP_OF_ANOTHER */
export async function readManifest(
  config: Repository,
  deployment: string,
  set: string,
): Promise<SignedManifest> {
  const folder = setFolder(config, deployment, set);
  const bytes = await readSigned(config, folder, MANIFEST, set);
  if (!bytes)
    throw new DrError('NO_BACKUP', {
      deployment,
      repository: config.repository,
      reason: `${set} has no manifest`,
    });
  const manifest = withMethod(parseManifest(bytes, set));
  if (manifest.deployment !== deployment)
    throw new DrError('BACKUP_OF_ANOTHER', { set, actual: manifest.deployment, expected: deployment });
  if (manifest.set !== set)
    throw new DrError('MANIFEST_ALTERED', { set, reason: `it is the manifest of ${manifest.set}` });
  return { manifest, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Before there was a second method, a set did not say which one had made it. */
function withMethod(manifest: Manifest): Manifest {
  const { database } = manifest;
  if (!database || (database as { method?: string }).method !== undefined) return manifest;
  return { ...manifest, database: { ...(database as PostgresFacts), method: 'pgbackrest' } };
}

/** What a restore of the set showed; undefined where it was never verified or the proof is of other bytes. */
export async function readAttestation(
  config: Repository,
  deployment: string,
  { manifest, sha256 }: SignedManifest,
): Promise<Attestation | undefined> {
  const bytes = await readSigned(
    config,
    setFolder(config, deployment, manifest.set),
    ATTESTATION,
    manifest.set,
  );
  if (!bytes) return undefined;
  const attestation = parseJson(bytes.toString('utf8')) as Attestation;
  return attestation.set === manifest.set && attestation.manifestSha256 === sha256 ? attestation : undefined;
}

/** `orphaned`: a snapshot whose set is gone, or is another one now. */
export type SetState =
  'verified' | 'complete' | 'incomplete' | 'unsigned' | 'altered' | 'foreign' | 'unreadable' | 'orphaned';

export interface SetListing {
  readonly set: string;
  readonly state: SetState;
  readonly createdAt?: string;
  readonly site?: string;
  /** Of a snapshot. */
  readonly belongsTo?: BelongsTo;
  /** Of its sealed objects. */
  readonly bytes?: number;
  /** Of the data directory that its database backup restores to. */
  readonly databaseBytes?: number;
  /** What restoring it showed. */
  readonly proof?: Attestation;
}

/**
 * Every set of a deployment, newest first, with what it is worth. Snapshots are none: see `listSnapshots`.
 *
 * @throws DrError REPOSITORY_UNREADABLE: not being able to look is not the same as there being none.
 */
export async function listSets(config: Repository, deployment: string): Promise<SetListing[]> {
  const folder = join(config.repository, deployment);
  const names = (await unlessMissing(folder, readdir(folder))) ?? [];
  const sets = names
    .filter((name) => SET_ID.test(name))
    .sort()
    .reverse();
  return Promise.all(sets.map((set) => describeSet(config, deployment, set)));
}

/** Whether it is complete and signed: a set to recover from, proven or not yet. */
export function isUsable({ state }: Pick<SetListing, 'state'>): boolean {
  return state === 'verified' || state === 'complete';
}

/** The newest set that can be recovered from, proven or not; undefined where there is none. */
export async function newestUsable(config: Repository, deployment: string): Promise<string | undefined> {
  return (await listSets(config, deployment)).find(isUsable)?.set;
}

/** @throws DrError NO_BACKUP */
export async function requireNewestUsable(config: Repository, deployment: string): Promise<string> {
  const newest = await newestUsable(config, deployment);
  if (newest !== undefined) return newest;
  const { repository } = config;
  throw new DrError('NO_BACKUP', { deployment, repository, reason: 'none is complete and signed' });
}

/** Presence and size of every object; their digests are checked while they are read. @throws OBJECT_MISSING, OBJECT_DAMAGED */
export async function verifyObjects(folder: string, manifest: Manifest): Promise<void> {
  for (const object of manifest.objects) {
    const found = await stat(join(folder, object.file)).catch(() => undefined);
    if (!found?.isFile()) throw new DrError('OBJECT_MISSING', { object: object.name, set: manifest.set });
    if (found.size !== object.cipher.bytes) {
      throw new DrError('OBJECT_DAMAGED', {
        object: object.name,
        set: manifest.set,
        reason: `${found.size} bytes instead of ${object.cipher.bytes}`,
      });
    }
  }
}

/**
 * What one set is worth.
 *
 * @param verify whether its objects are there; default by the folder of the set.
 */
export async function describeSet(
  config: Repository,
  deployment: string,
  set: string,
  verify = (manifest: Manifest): Promise<void> => verifyObjects(setFolder(config, deployment, set), manifest),
): Promise<SetListing> {
  try {
    const signed = await readManifest(config, deployment, set);
    const { createdAt, site, objects, database, belongsTo } = signed.manifest;
    await verify(signed.manifest);
    const attested = await readAttestation(config, deployment, signed);
    return {
      set,
      state: attested ? 'verified' : 'complete',
      createdAt,
      site,
      bytes: objects.reduce((sum, { cipher }) => sum + cipher.bytes, 0),
      // Of a physical backup only: any other lies in the sealed objects.
      ...(database?.method === 'pgbackrest' && { databaseBytes: database.databaseBytes }),
      ...(attested && { proof: attested }),
      ...(belongsTo && { belongsTo }),
    };
  } catch (error) {
    if (!(error instanceof DrError)) throw error;
    return { set, state: STATE_OF_ERROR[error.code] ?? 'incomplete' };
  }
}

const STATE_OF_ERROR: Readonly<Partial<Record<string, SetState>>> = {
  MANIFEST_UNSIGNED: 'unsigned',
  MANIFEST_ALTERED: 'altered',
  BACKUP_OF_ANOTHER: 'foreign',
  REPOSITORY_UNREADABLE: 'unreadable',
};
