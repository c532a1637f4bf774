import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * One set-up at a time for each user, so that two cannot spoil each other's folders. The lock is a socket in
 * Linux's abstract namespace: the kernel frees it when its holder ends, however it ends, so no stale lock exists.
 */
const LOCK = `\0tyk-dr-setup-${process.getuid()}`;
const RETRY_MS = 100;

/**
 * Runs `work` while it holds the lock; `onWait` is called once where another process holds it.
 *
 * @returns what `work` returns
 */
export async function withLock(onWait, work, name = LOCK) {
  let server = await tryToListen(name);
  if (server === undefined) onWait();
  while (server === undefined) {
    await holderGone(name);
    server = await tryToListen(name);
  }
  try {
    return await work();
  } finally {
    server.release();
  }
}

async function tryToListen(name) {
  const waiters = new Set();
  const server = createServer((socket) => {
    waiters.add(socket);
    socket.on('error', () => undefined).on('close', () => waiters.delete(socket));
  });
  server.listen(name);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error.code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return {
    release() {
      server.close();
      for (const socket of waiters) socket.destroy();
    },
  };
}

/** The holder never writes or closes while it works: the connection ends with the lock. */
async function holderGone(name) {
  const socket = connect(name).resume();
  socket.on('error', () => undefined);
  await once(socket, 'close');
  await delay(RETRY_MS);
}
