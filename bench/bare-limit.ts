import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitReady as postgresReady } from '../adapters/postgres/client.ts';
import { run } from '../adapters/process/run.ts';
import { waitReady as redisReady } from '../adapters/redis/client.ts';
import { finishDataDir } from '../adapters/redis/append-only-dir.ts';
import { siteDir, type Lab } from '../lab/layout.ts';
import { giveToStores, PG_BIN } from '../lab/stores.ts';
import { start } from '../lab/services.ts';
import { guideBackupDir } from './guide-backup.ts';
import { redisOf, superuserOf } from '../lab/connections.ts';
import { requireComplete, type Truth } from './truth.ts';

/**
 * (c): nothing but copying the data files and starting the servers, both at the same time. No proof of anything; once
 * as it is, and once with the copy made durable before the start, as (b) does.
 */

export interface BareLimit {
  readonly plainMs: number;
  readonly durableMs: number;
}

const READY_TIMEOUT_MS = 3_600_000;
const SYNC = { cwd: '/', timeoutMs: READY_TIMEOUT_MS };
const BASE = join('appendonlydir', 'appendonly.aof.1.base.rdb');

const reference = (lab: Lab, store: 'redis' | 'postgres'): string => join(lab.dir, 'bench', 'files', store);

/** Call when the source's PostgreSQL has stopped in order. Not timed. */
export async function keepDataFiles(lab: Lab): Promise<void> {
  await rm(join(lab.dir, 'bench', 'files'), { recursive: true, force: true });
  await mkdir(join(lab.dir, 'bench', 'files'), { recursive: true });
  await run(['cp', '-a', siteDir(lab, 'primary', 'postgres', 'data'), reference(lab, 'postgres')], {
    timeoutMs: READY_TIMEOUT_MS,
  });
  await dropRecycledWal(lab);
  const folder = join(reference(lab, 'redis'), 'appendonlydir');
  await mkdir(folder, { recursive: true });
  await copyFile(join(guideBackupDir(lab), 'redis.rdb'), join(reference(lab, 'redis'), BASE));
  await finishDataDir(reference(lab, 'redis'), true);
}

/** A server that was stopped in order starts from its last checkpoint: older and prepared segments are only ballast. */
async function dropRecycledWal(lab: Lab): Promise<void> {
  const dir = reference(lab, 'postgres');
  const { stdout } = await run([`${PG_BIN}/pg_controldata`, dir], { user: lab.storeUser, cwd: '/' });
  const needed = /REDO WAL file:\s+(\S+)/.exec(stdout)?.[1];
  for (const name of await readdir(join(dir, 'pg_wal'))) {
    if (/^[0-9A-F]{24}$/.test(name) && name !== needed) await rm(join(dir, 'pg_wal', name));
  }
  await writeFile(join(dir, 'postgresql.auto.conf'), 'archive_mode = off\n');
  await giveToStores(lab, dir);
}

/** @returns milliseconds from the first copy until both servers serve. */
export async function copyAndStart(lab: Lab, truth: Truth, durable: boolean): Promise<number> {
  await mkdir(siteDir(lab, 'dr', 'redis', 'data'), { recursive: true });
  const startedAt = performance.now();
  await Promise.all([redis(lab, durable), postgres(lab, durable)]);
  const dataMs = performance.now() - startedAt;
  await requireComplete(lab, truth);
  return dataMs;
}

async function redis(lab: Lab, durable: boolean): Promise<void> {
  await run(['cp', '-a', `${reference(lab, 'redis')}/.`, siteDir(lab, 'dr', 'redis', 'data')], {
    timeoutMs: READY_TIMEOUT_MS,
  });
  if (durable) await run(['sync', join(siteDir(lab, 'dr', 'redis', 'data'), BASE)], SYNC);
  await start(lab, 'dr-redis');
  (await redisReady(await redisOf(lab, 'dr'), READY_TIMEOUT_MS)).disconnect();
}

async function postgres(lab: Lab, durable: boolean): Promise<void> {
  await run(['cp', '-a', reference(lab, 'postgres'), siteDir(lab, 'dr', 'postgres', 'data')], {
    timeoutMs: READY_TIMEOUT_MS,
  });
  const sync = [`${PG_BIN}/initdb`, '--sync-only', '-D', siteDir(lab, 'dr', 'postgres', 'data')];
  if (durable) await run(sync, { ...SYNC, user: lab.storeUser });
  await start(lab, 'dr-postgres');
  await (
    await postgresReady(await superuserOf(lab, 'dr', 'postgres'), { deadlineMs: READY_TIMEOUT_MS })
  ).end();
}
