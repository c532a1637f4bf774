import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../../adapters/redis/client.ts';
import { withScratchRedis } from '../../../adapters/redis/scratch.ts';
import { run } from '../../../adapters/process/run.ts';

/** A server that takes connections and says nothing: nobody waits for it for ever. */

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tyk-dr-redis-silent-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('counts as unreachable, and it says why', async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await expect(connect({ port, answerTimeoutMs: 300 })).rejects.toThrow(/no answer within 0.3 s/);
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('a scratch server that waits for the pipe it is to load ends with the work', async () => {
  // Redis listens before it opens its RDB; a pipe without a writer keeps it there.
  await run(['mkfifo', join(dir, 'dump.rdb')]);
  const over = new AbortController();
  const waiting = withScratchRedis('redis-server', dir, () => Promise.resolve('loaded'), over.signal);
  const early = await Promise.race([
    waiting.then(
      () => 'it loaded nothing',
      () => 'it ended',
    ),
    new Promise((still) => setTimeout(() => still('it waits'), 1_000)),
  ]);
  expect(early).toBe('it waits');
  over.abort(new Error('the work is over'));
  await expect(waiting).rejects.toThrow('the work is over');
});
