import { createReadStream, type Stats } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { chainFolder, listChains, readChain, writeChain } from '../adapters/backup/redis-aof.ts';
import { newSetId } from '../adapters/backup/repository.ts';
import { sealStream } from '../adapters/backup/seal.ts';
import { AOF_FOLDER, readLogFiles, type LogFile } from '../adapters/redis/aof-files.ts';
import { redisVersion } from '../adapters/redis/version.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import { AOF_FORMAT, type AofChain, type AofPiece } from '../domain/redis-aof.ts';
import type { StepResult } from '../domain/run.ts';
import { guardedBackup, type BackupCall, type Deps } from './guard.ts';

/**
 * Ships what the append-only log has grown by since the last call. It reads files only and asks Redis nothing; calling
 * it again ships nothing twice: what the signed list does not name was never shipped.
 */

export function createShipRedisAofActivities(deps: Deps) {
  return { 'ship-redis-aof': guardedBackup(deps, shipRedisAof) };
}

async function shipRedisAof(call: BackupCall): Promise<StepResult> {
  const { site, input, deployment } = call;
  const { redis } = site;
  if (redis?.method !== 'files' || redis.dataDir === undefined)
    throw unusable(
      'redis.method',
      redis?.method ?? 'no Redis',
      'files, as the log is read from the data folder',
    );
  const { dataDir } = redis;
  const opened = await openLog(dataDir);
  try {
    const [base] = opened;
    if (base?.kind !== 'base')
      throw unusable('appendonly', 'no log with a base', 'appendonly yes, on Redis 7');
    const baseIdentity = identityOf(base.facts);
    const found = await newestChain(call, baseIdentity);
    const chain = found ?? {
      ...{
        format: AOF_FORMAT,
        chain: await newChainId(call),
        deployment: input.deployment,
        site: input.site,
      },
      ...{ version: await redisVersion(redis.binary), baseIdentity, pieces: [] },
    };
    const pieces = await shipPieces(call, chain, opened);
    if (pieces.length === 0) return { summary: `${chain.chain}: nothing new`, observed: true };
    const longer: AofChain = { ...chain, pieces: [...chain.pieces, ...pieces] };
    await writeChain(deployment.backup, longer, await call.secret(deployment.backup.signingKey));
    const bytes = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
    return {
      summary: `${chain.chain}: ${formatBytes(bytes)} ${found ? 'more' : 'with a new base'}, up to ${pieces.at(-1)!.holdsUntil}`,
    };
  } finally {
    for (const { handle } of opened) await handle.close();
  }
}

interface OpenedFile extends LogFile {
  /** Keeps what Redis removes meanwhile, because it has rewritten its log. */
  readonly handle: FileHandle;
  readonly facts: Stats;
  readonly holdsUntil: string;
  readonly readAt: string;
}

/** A rewrite may exchange the files between the reading of their list and their opening: then once more. */
const OPEN_ATTEMPTS = 5;

async function openLog(dataDir: string): Promise<OpenedFile[]> {
  for (let attempt = 1; ; attempt += 1) {
    const opened: OpenedFile[] = [];
    try {
      for (const file of (await readLogFiles(dataDir)) ?? []) {
        const holdsUntil = new Date().toISOString();
        const handle = await open(join(dataDir, AOF_FOLDER, file.name), 'r');
        // An answer of Redis leaves it only when the log has the command.
        opened.push({
          ...file,
          handle,
          holdsUntil,
          facts: await handle.stat(),
          readAt: new Date().toISOString(),
        });
      }
      return opened;
    } catch (error) {
      for (const { handle } of opened) await handle.close();
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === OPEN_ATTEMPTS) throw error;
    }
  }
}

/** A base is written once and never changed. */
function identityOf({ dev, ino, size, mtimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs].join(':');
}

async function newestChain({ deployment, input }: BackupCall, base: string): Promise<AofChain | undefined> {
  const [newest] = await listChains(deployment.backup, input.deployment);
  const chain =
    newest === undefined ? undefined : await readChain(deployment.backup, input.deployment, newest);
  return chain?.site === input.site && chain.baseIdentity === base ? chain : undefined;
}

/** Ids sort by second only, and the newest chain must be found by its id. */
async function newChainId({ deployment, input }: BackupCall): Promise<string> {
  const [newest = ''] = await listChains(deployment.backup, input.deployment);
  for (let second = 0; ; second += 1) {
    const id = newSetId(new Date(Date.now() + second * 1000));
    if (id > newest) return id;
  }
}

async function shipPieces(
  call: BackupCall,
  chain: AofChain,
  files: readonly OpenedFile[],
): Promise<AofPiece[]> {
  const pieces: AofPiece[] = [];
  for (const file of files) {
    const { name, kind, sequence, holdsUntil, readAt, facts } = file;
    const shipped = chain.pieces.filter((piece) => piece.name === name);
    const from = Math.max(0, ...shipped.map(({ to }) => to));
    if (facts.size < from)
      throw new DrError('DATA_UNPROVEN', {
        what: name,
        expected: `${from} bytes or more`,
        actual: facts.size,
      });
    if (facts.size === from && shipped.length > 0) continue;
    call.progress(name);
    const label = `${kind}-${sequence}-${from}`;
    const object = await sealPiece(call, chain.chain, label, file, from);
    pieces.push({ object, kind, name, sequence, from, to: facts.size, holdsUntil, readAt });
  }
  return pieces;
}

async function sealPiece(
  { deployment, input, signal }: BackupCall,
  chain: string,
  label: string,
  { handle, facts }: OpenedFile,
  from: number,
): Promise<AofPiece['object']> {
  const folder = chainFolder(deployment.backup, input.deployment, chain);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const source =
    facts.size === from
      ? Readable.from([])
      : createReadStream('', { fd: handle, start: from, end: facts.size - 1, autoClose: false });
  const file = `${label}.zst.age`;
  const sealed = await sealStream(source, join(folder, file), deployment.backup.recipients, signal);
  return { name: label, file, ...sealed };
}

function unusable(argument: string, value: string, expected: string): DrError {
  return new DrError('BAD_ARGUMENT', { argument, value, expected });
}
