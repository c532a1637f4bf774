import { createWriteStream } from 'node:fs';
import { cp, link, mkdir, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openIntoFile, openObject, type OpenRequest } from '../adapters/backup/open.ts';
import { chainFolder } from '../adapters/backup/redis-aof.ts';
import { syncFolder } from '../adapters/files/durable.ts';
import { AOF_FOLDER, wholeCommandsEnd } from '../adapters/redis/aof-files.ts';
import { collectFacts, type CountedFacts } from '../adapters/redis/facts.ts';
import { withScratchRedis } from '../adapters/redis/scratch.ts';
import type { RedisConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { AofChain, AofFile, Assembled } from '../domain/redis-aof.ts';
import type { Call } from './guard.ts';
import { newestLog } from './shipped-log.ts';

/** A data folder from the shipped log, where it is newer than the set. It is loaded and counted before it counts. */

export interface RestoredLog {
  /** A sentence for the report: the point that was reached, and what was left out. */
  readonly told: string;
}

/**
 * Fills the folder.
 *
 * @returns undefined where no log is newer than the set or the plan asks for the set's own moment
 * @throws DrError where one is newer and cannot be used: the caller says so and takes the set
 */
export async function restoreShippedLog(
  call: Call,
  manifest: Manifest,
  { redis, stagingDir, appendOnly }: { redis: RedisConfig; stagingDir: string; appendOnly: boolean },
): Promise<RestoredLog | undefined> {
  const found = await newestLog(call.deployment.backup, call.input.plan, manifest);
  if (!found) return undefined;
  const { chain, log } = found;
  const folder = join(stagingDir, AOF_FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  for (const file of log.files) {
    call.progress(`opening ${file.name} of the shipped log`);
    await openFile(call, chain, file, join(folder, file.name));
  }
  const last = log.files.at(-1)!;
  const dropped = last.kind === 'incr' ? await cutTail(join(folder, last.name), last) : 0;
  const rows = log.files.map(
    ({ name, sequence, kind }) => `file ${name} seq ${sequence} type ${kind === 'base' ? 'b' : 'i'}\n`,
  );
  await writeFile(join(folder, 'appendonly.aof.manifest'), rows.join(''), { mode: 0o640 });
  const facts = await prove(call, redis, { stagingDir, log, appendOnly });
  await writeFile(
    join(stagingDir, FACTS),
    JSON.stringify({ run: call.input.run, facts, holdsUntil: log.holdsUntil } satisfies OfLog),
    { mode: 0o600 },
  );
  await syncFolder(stagingDir);
  const tail = dropped > 0 ? `; ${dropped} bytes of a command that was not whole left out` : '';
  return { told: `with the append-only log shipped until ${log.holdsUntil}${tail}` };
}

interface OfLog {
  readonly run: string;
  /** Counted where the log was proven: the set knows only its own moment. */
  readonly facts: CountedFacts;
  readonly holdsUntil: string;
}

/** Undefined where this run used no log. */
export async function usedLog({ input }: Call, { dataDir }: RedisConfig): Promise<OfLog | undefined> {
  if (dataDir === undefined) return undefined;
  const text = await readFile(join(dataDir, FACTS), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const used = JSON.parse(text) as OfLog;
  return used.run === input.run ? used : undefined;
}

const FACTS = 'tyk-dr-redis-facts.json';

/** How the pieces of a file are opened, in their order. */
export async function piecesOf(
  { deployment, input, signal, secret }: Call,
  { chain }: AofChain,
  { pieces }: AofFile,
): Promise<OpenRequest[]> {
  const identity = await secret(deployment.backup.identity);
  const folder = chainFolder(deployment.backup, input.plan.deployment, chain);
  return pieces.map(({ object }) => ({ folder, set: chain, object, identity, signal }));
}

async function openFile(call: Call, chain: AofChain, file: AofFile, path: string): Promise<void> {
  for (const [index, request] of (await piecesOf(call, chain, file)).entries()) {
    if (index === 0) await openIntoFile(request, path);
    else await openObject(request, createWriteStream(path, { flags: 'a' }));
  }
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}

/** Redis would cut there itself, without a word, or refuse to start. @returns how many bytes. */
async function cutTail(path: string, { pieces }: AofFile): Promise<number> {
  const size = pieces.at(-1)!.to;
  const end = await wholeCommandsEnd(path);
  if (end < size) await truncate(path, end);
  return size - end;
}

interface Proving {
  readonly stagingDir: string;
  readonly log: Assembled;
  readonly appendOnly: boolean;
}

/** In a scratch server, on copies of what it would write to. Where the target keeps no log it makes the RDB as well. */
async function prove(
  call: Call,
  redis: RedisConfig,
  { stagingDir, log, appendOnly }: Proving,
): Promise<CountedFacts> {
  const scratch = `${stagingDir}.log`;
  const from = join(stagingDir, AOF_FOLDER);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(join(scratch, AOF_FOLDER), { recursive: true, mode: 0o700 });
  try {
    const names = log.files.map(({ name }) => name);
    for (const name of names.slice(0, -1)) await link(join(from, name), join(scratch, AOF_FOLDER, name));
    for (const name of [names.at(-1)!, 'appendonly.aof.manifest'])
      await cp(join(from, name), join(scratch, AOF_FOLDER, name));
    call.progress('replaying the shipped log in a scratch instance');
    const facts = await withScratchRedis(
      redis.binary,
      scratch,
      async (client) => {
        const counted = await collectFacts(client);
        if (!appendOnly) await client.save();
        return counted;
      },
      call.signal,
      redis.database,
      undefined,
      true,
    );
    if (!appendOnly) {
      await rename(join(scratch, 'dump.rdb'), join(stagingDir, 'dump.rdb'));
      await rm(from, { recursive: true });
    }
    return facts;
  } catch (error) {
    if (error instanceof DrError) throw error;
    throw new DrError(
      'DATA_UNPROVEN',
      { what: `the log ${basename(scratch)}`, expected: 'it loads', actual: String(error) },
      { cause: error },
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
