import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { finishDataDir, rdbFile } from '../../../adapters/redis/append-only-dir.ts';
import { waitReady } from '../../../adapters/redis/client.ts';
import {
  collectFacts,
  compareFacts,
  dropAnalytics,
  type CountedFacts,
} from '../../../adapters/redis/facts.ts';
import { withScratchRedis } from '../../../adapters/redis/scratch.ts';

/** Redis skips what has expired when it loads a dump.rdb, and keeps it when it loads an append-only base. */

let dir: string;
let server: ChildProcess | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-test-'));
});

afterEach(async () => {
  if (server?.exitCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  await rm(dir, { recursive: true, force: true });
});

async function startRedis(...settings: string[]): Promise<Redis> {
  const socket = join(dir, 's');
  const always = [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--dir',
    dir,
    '--save',
    '',
    '--enable-debug-command',
    'yes',
  ];
  server = spawn('redis-server', [...always, ...settings], { stdio: 'ignore' });
  return waitReady({ socket }, 10_000);
}

const MANY = 20_000;
const EXPIRES_AFTER_MS = 200;

/** A dump.rdb of which one key has expired by the time anybody loads it. */
async function makeRdb(expiring = 'expires'): Promise<Buffer> {
  const client = await startRedis();
  await client.set('stays', 'a');
  // Among so many, the cycle that removes expired keys does not come to the one in the moment before it is stopped.
  const pipeline = client.pipeline();
  for (let index = 0; index < MANY; index += 1) pipeline.set(`stays-for-a-day-${index}`, 'b', 'EX', 86_400);
  await pipeline.exec();
  await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  await client.set(expiring, 'c', 'PX', EXPIRES_AFTER_MS);
  await client.save();
  const expiresAtMs = Number(await client.call('PEXPIRETIME', expiring));
  client.disconnect();
  server!.kill('SIGKILL');
  await once(server!, 'exit');
  while (Date.now() <= expiresAtMs) await sleep(10);
  return readFile(join(dir, 'dump.rdb'));
}

async function countInScratch(): Promise<CountedFacts> {
  return withScratchRedis('redis-server', dir, collectFacts);
}

async function loadAsAppendOnly(rdb: Buffer): Promise<Redis> {
  await writeFile(await rdbFile(dir, true), rdb);
  await finishDataDir(dir, true);
  const client = await startRedis('--appendonly', 'yes');
  await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  return client;
}

test('a key that had expired before the backup was counted is not one too many on the target', async () => {
  const rdb = await makeRdb();
  const facts = await countInScratch();
  expect(facts).toMatchObject({ keys: MANY + 2, expires: MANY + 1 });
  const target = await loadAsAppendOnly(rdb);
  try {
    const proofs = await compareFacts(facts, target);
    expect(proofs[0]).toMatchObject({ verdict: 'pass', actual: String(MANY + 2) });
  } finally {
    target.disconnect();
  }
});

test('raw analytics that expired after they were counted are not a key too many', async () => {
  const list = 'analytics-tyk-system-analytics';
  const rdb = await makeRdb(list);
  // As the backup counted them: before they expired, without the list.
  const facts = { ...(await countInScratch()), keys: MANY + 1, expires: MANY };
  const target = await loadAsAppendOnly(rdb);
  try {
    expect(await dropAnalytics(target)).toBe(0);
    expect(await target.dbsize()).toBe(MANY + 2);
    const proofs = await compareFacts(facts, target);
    expect(proofs[0]).toMatchObject({ verdict: 'pass', actual: String(MANY + 1) });
  } finally {
    target.disconnect();
  }
});

test('a key that nobody backed up is one too many', async () => {
  const rdb = await makeRdb();
  const facts = await countInScratch();
  const target = await loadAsAppendOnly(rdb);
  try {
    await target.set('from elsewhere', 'x');
    await expect(compareFacts(facts, target)).rejects.toMatchObject({ code: 'DATA_UNPROVEN' });
  } finally {
    target.disconnect();
  }
});
