import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyFolders } from '../adapters/backup/copy-record.ts';
import { fetchFiles, fetchUnproven } from '../adapters/backup/fetch.ts';
import { writeDurably } from '../adapters/files/durable.ts';
import { addFromCopy, beginAssembly, type AssembleRequest } from '../adapters/postgres/assemble.ts';
import {
  checkBesides,
  type CheckedRepository,
  type RepositoryCheck,
} from '../adapters/postgres/repository-check.ts';
import { laterArchive, segmentOf } from '../adapters/postgres/repository-extras.ts';
import { findDamage, type Damage, type RepositoryFile } from '../adapters/postgres/repository-files.ts';
import { listFiles } from '../adapters/rclone/rclone.ts';
import type { Remote } from '../adapters/rclone/remote.ts';
import type { ClusterConfig, PgbackrestRepository } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import { fromCopies, type Asking } from './copies.ts';
import { requireRepository } from './endpoints.ts';

/** Which pgBackRest repository a set is restored from: the configured one, or one made whole with an off-site copy. */

interface Request {
  readonly asking: Asking;
  /** Of the configured repository. */
  readonly check: RepositoryCheck;
  readonly config: ClusterConfig;
  readonly onProgress?: (text: string) => void;
}

export async function discardAssembled(config: ClusterConfig): Promise<void> {
  await rm(assembledFolder(config), { recursive: true, force: true });
}

/** Beside the data: on their disk, and where their user may enter. */
function assembledFolder(config: ClusterConfig): string {
  return `${config.dataDir}.tyk-dr-from-copy`;
}

/** A proof has its own, which goes with its other folders: a recovery of the same site must not meet it. */
function assembledFor({ asking, config }: Pick<Request, 'asking' | 'config'>, set: string): string {
  return asking.alone ? `${config.dataDir}.tyk-dr-verify-${set}-repository` : assembledFolder(config);
}

/**
 * Reads every file of the set. Where one is damaged or missing, or the catalogues or the WAL behind the set are, a
 * whole repository is made with the help of the copies, and is what `databaseSource` gives.
 *
 * @throws DrError OBJECT_MISSING, OBJECT_DAMAGED, DISK_TOO_SMALL
 */
export async function proveDatabaseSource(request: Request): Promise<CheckedRepository> {
  const { asking, check } = request;
  const { root, files, set } = check;
  const damage = await findDamage(root, files, set, { signal: asking.signal, all: true });
  const besides = await checkBesides(check).catch((error: unknown) => {
    if (!(error instanceof DrError)) throw error;
    return error;
  });
  const cause = damage[0]?.error ?? (besides instanceof DrError ? besides : gapOf(besides, set));
  if (cause === undefined) {
    await writeFile(await provenNote(asking), set);
    return besides as CheckedRepository;
  }
  const assembled = await assemble(request, damage, cause, besides instanceof DrError);
  const found = await checkBesides({ ...check, root: assembled });
  const walLost = !asking.alone && damage.some(({ file }) => segmentOf(file.path) !== undefined);
  return walLost ? { ...found, doubts: [...found.doubts, await endOfCopy(assembled, files)] } : found;
}

function gapOf({ walGap }: CheckedRepository, set: string): DrError | undefined {
  if (walGap === undefined) return undefined;
  return new DrError('OBJECT_MISSING', { object: `WAL segment ${walGap}, after it,`, set });
}

/** For the step that restores: what the run has made whole already, else what is proven now. */
export async function databaseSource({
  check,
  ...request
}: Omit<Request, 'check'> & {
  readonly check: () => Promise<RepositoryCheck>;
}): Promise<PgbackrestRepository> {
  const { asking, config } = request;
  const local = requireRepository(asking.deployment.backup);
  // Nothing else to take: what is damaged, pgBackRest finds while it restores.
  if (asking.deployment.backup.copies.length === 0) return local;
  const marked = async (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
  const all = await check();
  const whole = { ...local, repository: assembledFor({ asking, config }, all.set) };
  if ((await marked(join(whole.repository, MARK))) === all.set) return whole;
  if ((await marked(await provenNote(asking))) === all.set) return local;
  await proveDatabaseSource({ ...request, check: all });
  return (await marked(join(whole.repository, MARK))) === all.set ? whole : local;
}

/** Says that this run has read all of the local repository: a restore on the same host need not do it again. */
async function provenNote({ cache }: Asking): Promise<string> {
  await mkdir(cache, { recursive: true, mode: 0o700 });
  return join(cache, 'database-proven');
}

/** Written last: without it nothing in the folder counts. */
const MARK = 'tyk-dr-set';

/** @returns the folder of the generation. */
async function assemble(
  request: Request,
  damage: readonly Damage[],
  cause: DrError,
  cataloguesLost: boolean,
): Promise<string> {
  const { asking, check, config, onProgress } = request;
  const { root, set, facts, files } = check;
  const folder = assembledFor(request, set);
  const into = join(folder, facts.generation);
  const assembly: AssembleRequest = {
    ...{ root, into, user: config.runAs, stanza: facts.stanza, files, cataloguesLost },
    damaged: damage.map(({ file }) => file),
  };
  onProgress?.('making the database repository whole');
  await beginAssembly(assembly);
  let missing = [...assembly.damaged];
  let arrived = 0;
  const what = (): string => `${arrived} of ${files.length} files of the database backup`;
  await fromCopies(asking, cause, what, async (remote) => {
    onProgress?.(`fetching ${missing.length} files from ${remote.name}`);
    const wanted = missing.length;
    missing = await addFromCopy(assembly, missing, fetching(asking, check, remote, into));
    arrived = wanted - missing.length;
    if (missing.length === 0) return;
    if (arrived > 0) asking.note?.(`${what()} from the off-site copy ${remote.name}`);
    const reason = `its ${missing[0]!.path} is missing or damaged`;
    throw new DrError('COPY_UNUSABLE', { copy: remote.name, reason });
  });
  await writeDurably(join(folder, MARK), set, 0o644);
  return into;
}

function fetching(asking: Asking, { set, facts }: RepositoryCheck, remote: Remote, into: string) {
  const { pgbackrest } = copyFolders(asking.name, set, facts.generation);
  const from = { remote, folder: pgbackrest!, into, signal: asking.signal };
  return {
    proven: (files: readonly RepositoryFile[]) => fetchFiles(from, files),
    unproven: (paths: readonly string[]) => fetchUnproven(from, paths),
    list: async (folder: string) =>
      (await listFiles(remote, `${pgbackrest}/${folder}`, { signal: asking.signal })).map(({ path }) => path),
  };
}

/** The local archive was hurt: what it held beyond the copy's is not known. */
async function endOfCopy(root: string, files: readonly RepositoryFile[]): Promise<string> {
  const { through } = await laterArchive(root, files);
  return `the WAL archive was damaged or away: the database comes from an off-site copy that ends with segment ${through}; what was committed after it is not in it`;
}
