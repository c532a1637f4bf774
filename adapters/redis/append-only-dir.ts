import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../files/durable.ts';

/**
 * A data folder that Redis 7 starts from with all its keys. With `appendonly yes` a mere dump.rdb is ignored and
 * Redis starts empty, without an error; so the RDB goes in as the base of an append-only set, whose manifest names
 * it. With `appendonly no` it is an ordinary dump.rdb.
 */
export async function rdbFile(dataDir: string, appendOnly: boolean): Promise<string> {
  const folder = appendOnly ? join(dataDir, 'appendonlydir') : dataDir;
  await mkdir(folder, { recursive: true, mode: 0o750 });
  return join(folder, appendOnly ? BASE : 'dump.rdb');
}

/** Call when the file has been filled and authenticated. */
export async function finishDataDir(dataDir: string, appendOnly: boolean): Promise<void> {
  const folder = appendOnly ? join(dataDir, 'appendonlydir') : dataDir;
  if (appendOnly) {
    await writeFile(join(folder, INCR), '', { mode: 0o640 });
    await writeFile(join(folder, MANIFEST), `file ${BASE} seq 1 type b\nfile ${INCR} seq 1 type i\n`, {
      mode: 0o640,
    });
  }
  for (const name of appendOnly ? [BASE, INCR, MANIFEST] : ['dump.rdb']) {
    const handle = await open(join(folder, name), 'r');
    await handle.sync().finally(() => handle.close());
  }
  await syncFolder(folder);
}

const BASE = 'appendonly.aof.1.base.rdb';
const INCR = 'appendonly.aof.1.incr.aof';
const MANIFEST = 'appendonly.aof.manifest';
