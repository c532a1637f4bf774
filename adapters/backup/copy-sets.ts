import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupConfig } from '../../domain/config.ts';
import { DrError } from '../../domain/errors.ts';
import { SET_ID, type Manifest } from '../../domain/manifest.ts';
import { download, listFiles } from '../rclone/rclone.ts';
import type { Remote } from '../rclone/remote.ts';
import { CONDEMNED, HOLD, readHold, type Hold } from './prune.ts';
import {
  describeSet,
  isUsable,
  readManifest,
  setFolder,
  type SetListing,
  type SignedManifest,
} from './repository.ts';

/**
 * What a copy holds, read from the copy itself: its signed files are fetched and judged as those of the repository
 * are, and its objects by their sizes in its own listing. The repository need not be there.
 */

export interface SetAtCopy extends SetListing {
  /** Where it can be used. */
  readonly signed?: SignedManifest;
  readonly hold?: Hold;
  /** Somebody has begun to delete it: it has no manifest any more, and this is no accident. */
  readonly condemned: boolean;
  /** It has a manifest that nobody can be held to: what it needs of the database's repository is not known. */
  readonly opaque: boolean;
}

export interface ReadCopyRequest {
  readonly remote: Remote;
  readonly config: Pick<BackupConfig, 'trustedKeys'>;
  readonly deployment: string;
  /** A folder in which one may be made for a moment. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
}

/** @returns every set that the copy has anything of, newest first. @throws DrError COPY_UNUSABLE */
export async function readCopy(request: ReadCopyRequest): Promise<SetAtCopy[]> {
  const { remote, config, deployment, scratch, signal } = request;
  const filter = ['--max-depth=2', ...NO_SETS.map((folder) => `--exclude=/${folder}/**`)];
  const sets = new Map<string, Map<string, number>>();
  for (const { path, bytes } of await listFiles(remote, deployment, { filter, signal })) {
    const [set = '', name, ...deeper] = path.split('/');
    if (!SET_ID.test(set) || name === undefined || deeper.length > 0) continue;
    sets.set(set, (sets.get(set) ?? new Map<string, number>()).set(name, bytes));
  }
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(join(scratch, '.copy-'));
  try {
    const wanted = [...sets].flatMap(([set, names]) =>
      SIGNED.filter((name) => names.has(name)).map((name) => `${set}/${name}`),
    );
    if (wanted.length > 0) await download(remote, deployment, wanted, join(draft, deployment), { signal });
    const from = { ...config, repository: draft };
    const found = [...sets].map(([set, names]) => describe(from, deployment, set, names));
    return (await Promise.all(found)).sort((a, b) => (a.set < b.set ? 1 : -1));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Folders of a deployment beside its sets. */
const NO_SETS = ['pgbackrest', 'runs', 'copies', 'redis-aof'];

const SIGNED = ['manifest.json', 'verified.json'].flatMap((name) => [name, `${name}.sig`]).concat(HOLD);

async function describe(
  from: Pick<BackupConfig, 'repository' | 'trustedKeys'>,
  deployment: string,
  set: string,
  names: ReadonlyMap<string, number>,
): Promise<SetAtCopy> {
  const listing = await describeSet(from, deployment, set, (manifest) => {
    requireObjects(manifest, names);
    return Promise.resolve();
  });
  const hold = await readHold(setFolder(from, deployment, set));
  const manifest = names.has('manifest.json');
  return {
    ...listing,
    ...(isUsable(listing) ? { signed: await readManifest(from, deployment, set) } : {}),
    ...(hold ? { hold } : {}),
    condemned: !manifest && names.has(CONDEMNED),
    opaque: manifest && !isUsable(listing),
  };
}

/** @throws DrError OBJECT_MISSING, OBJECT_DAMAGED */
function requireObjects({ set, objects }: Manifest, sizes: ReadonlyMap<string, number>): void {
  for (const { name, file, cipher } of objects) {
    const bytes = sizes.get(file);
    if (bytes === undefined) throw new DrError('OBJECT_MISSING', { object: name, set });
    if (bytes !== cipher.bytes)
      throw new DrError('OBJECT_DAMAGED', {
        object: name,
        set,
        reason: `${bytes} bytes instead of ${cipher.bytes}`,
      });
  }
}
