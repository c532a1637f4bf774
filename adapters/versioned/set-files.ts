import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BackupConfig } from '../../domain/config.ts';
import { canonicalJson, parseExactly } from '../../domain/json.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { findSecrets, scrubber, type KnownSecret } from '../../domain/scrub.ts';
import { holdsPrivateKey } from '../../domain/secret-fields.ts';
import type { Secret } from '../../domain/secret.ts';
import {
  definitionFiles,
  INDEX,
  type Definitions,
  type IndexEntry,
  type VersionedFile,
} from '../../domain/versioned.ts';
import { openIntoFile } from '../backup/open.ts';
import { setFolder } from '../backup/repository.ts';
import { unpackTree } from '../backup/tree.ts';
import { referrer } from './references.ts';

/** From the objects of a set to the files that may be shown: secrets replaced, binaries left out by their digest. */

export interface SetFilesRequest {
  readonly backup: BackupConfig;
  readonly manifest: Manifest;
  readonly identity: Secret;
  /** Makes the fingerprints of references; see `referrer`. */
  readonly fingerprintKey: Secret;
  readonly known: readonly KnownSecret[];
  /** A folder of our own, made and removed again: what is unpacked there still has its secrets. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
}

export interface SetFiles {
  readonly files: readonly VersionedFile[];
  /** Every value that was replaced, by the fingerprint of its reference. */
  readonly secrets: ReadonlyMap<string, string>;
}

/** The folder of a tree in the git repository, by the object of the set that holds it. */
export function folderOf(object: string): string | undefined {
  if (/^(redis|postgresql|mongodb)-server$/.test(object)) return object.replace(/-server$/, '');
  return object === 'dashboard' || object === 'pump' || object.startsWith('gateway-') ? object : undefined;
}

export async function filesOfSet(request: SetFilesRequest): Promise<SetFiles> {
  const { manifest, scratch } = request;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    const raw: VersionedFile[] = [];
    const index: Record<string, Record<string, IndexEntry>> = {};
    const names = manifest.objects.map(({ name }) => name).filter((name) => folderOf(name) !== undefined);
    // Opening a small object is mostly the start of processes: a few at a time.
    for (let from = 0; from < names.length; from += READERS) {
      const slice = names.slice(from, from + READERS);
      const trees = await Promise.all(slice.map(async (name) => readTree(await unpacked(request, name))));
      for (const [at, tree] of trees.entries()) {
        const folder = folderOf(slice[at]!)!;
        raw.push(...tree.files.map((file) => ({ ...file, path: `${folder}/${file.path}` })));
        index[folder] = tree.entries;
      }
    }
    raw.push(...(await definitionsOf(request)));
    const secrets = new Map<string, string>();
    const refer = referrer(request.fingerprintKey, (fingerprint, value) => secrets.set(fingerprint, value));
    // What is a secret in one file is one in every other.
    const known = [...request.known, ...raw.flatMap(({ content }) => findSecrets(content))];
    const scrub = scrubber(known, refer);
    const files = raw.map((file) => ({ ...file, content: scrub(file.content) }));
    return {
      files: [...files, { path: INDEX, kind: 'file', content: `${canonicalJson(index)}\n` }],
      secrets,
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const READERS = 3;

async function unpacked(request: SetFilesRequest, name: string): Promise<string> {
  const archive = join(request.scratch, `${name}.tar`);
  const into = join(request.scratch, name);
  await open(request, name, archive);
  await unpackTree(archive, into, name);
  await rm(archive);
  return into;
}

async function definitionsOf(request: SetFilesRequest): Promise<VersionedFile[]> {
  if (!request.manifest.objects.some(({ name }) => name === 'definitions')) return [];
  const file = join(request.scratch, 'definitions.json');
  await open(request, 'definitions', file);
  return definitionFiles(JSON.parse(await readFile(file, 'utf8')) as Definitions);
}

async function open(request: SetFilesRequest, name: string, file: string): Promise<void> {
  const { backup, manifest, identity, signal } = request;
  const folder = setFolder(backup, manifest.deployment, manifest.set);
  const object = manifest.objects.find((candidate) => candidate.name === name)!;
  await openIntoFile({ folder, set: manifest.set, object, identity, signal }, file);
}

/** The files of a folder that are text and no key, and what there is to know of all its entries. */
export async function readTree(
  root: string,
): Promise<{ files: VersionedFile[]; entries: Record<string, IndexEntry> }> {
  const files: VersionedFile[] = [];
  const entries: Record<string, IndexEntry> = {};
  const visit = async (path: string): Promise<void> => {
    const found = await lstat(join(root, path));
    const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
    const entry = { mode, owner: `${found.uid}:${found.gid}` };
    if (found.isSymbolicLink()) {
      entries[path] = { type: 'link', ...entry };
      files.push({ path, kind: 'link', content: await readlink(join(root, path)) });
    } else if (found.isDirectory()) {
      entries[path] = { type: 'folder', ...entry };
      for (const name of (await readdir(join(root, path))).sort()) await visit(join(path, name));
    } else {
      const file = join(root, path);
      // An upload may be larger than what fits into memory.
      const bytes = found.size > LARGEST_BYTES ? undefined : await readFile(file);
      const withheld = bytes === undefined ? 'large' : reasonToWithhold(path, bytes);
      const what = withheld ? { withheld, bytes: found.size, sha256: await sha256Of(file) } : {};
      entries[path] = { type: 'file', ...entry, ...what };
      const kind = found.mode & 0o100 ? 'executable' : 'file';
      if (!withheld) files.push({ path, kind, content: bytes!.toString('utf8') });
    }
  };
  for (const name of (await readdir(root)).sort()) await visit(name);
  return { files, entries };
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** A file of this size is an upload, not something that is read in a diff. */
const LARGEST_BYTES = 1 << 20;

/** Files that are nothing but a credential, whatever is in them; git itself refuses paths below `.git`. */
const CREDENTIAL =
  /(^|\/)(\.git(\/|$)|id_(rsa|dsa|ecdsa|ed25519)$|\.pgpass$|\.netrc$|\.htpasswd$)|\.(key|p12|pfx|jks|keystore|p8)$/i;

function reasonToWithhold(path: string, bytes: Buffer): IndexEntry['withheld'] {
  if (CREDENTIAL.test(path)) return 'private key';
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'binary';
  }
  if (text.includes('\0')) return 'binary';
  // In a configuration a key is one value among others; a file that is no document is withheld whole.
  return holdsPrivateKey(text) && typeof parseExactly(text) !== 'object' ? 'private key' : undefined;
}
