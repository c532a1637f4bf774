import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DrError } from '../../domain/errors.ts';
import type { Secret } from '../../domain/secret.ts';
import { startAttached } from '../host/attached.ts';
import { scratchFolder } from '../host/scratch-folder.ts';
import { waitReady, type Client } from './client.ts';

/** A private server that loads a data folder and is gone afterwards: unix socket only, dies with us. */

/** Loading a million keys takes seconds; this ends only what hangs. */
const LOAD_TIMEOUT_MS = 60 * 60_000;

/** For programs that know of no socket: on the loopback, by a password of its own. */
export interface ScratchDoor {
  readonly port: number;
  readonly password: Secret;
}

/** Rejects then; never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const give = (): void => reject(signal.reason as Error);
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

export async function withScratchRedis<T>(
  binary: string,
  dataDir: string,
  work: (client: Client) => Promise<T>,
  signal?: AbortSignal,
  database = 0,
  door?: ScratchDoor,
  appendOnly: boolean | 'cut-off' = false,
): Promise<T> {
  const folder = await scratchFolder('redis');
  const socket = join(folder, 's');
  const conf = [
    ...(door ? ['bind 127.0.0.1', `port ${door.port}`, `requirepass ${door.password.reveal()}`] : ['port 0']),
    `unixsocket ${socket}`,
    'unixsocketperm 700',
    `dir ${dataDir}`,
    `appendonly ${appendOnly ? 'yes' : 'no'}`,
    // What is to be proven is proven whole. A server that was killed may have written half of its last command.
    `aof-load-truncated ${appendOnly === 'cut-off' ? 'yes' : 'no'}`,
    'save ""',
    'dbfilename dump.rdb',
    `databases ${Math.max(16, database + 1)}`,
    'daemonize no',
  ];
  await writeFile(join(folder, 'redis.conf'), `${conf.join('\n')}\n`, { mode: 0o600 });
  const { child, ended } = startAttached(
    [binary, join(folder, 'redis.conf')],
    (code, last) =>
      new DrError('DATA_UNPROVEN', {
        what: 'the RDB in a scratch Redis',
        expected: 'it loads',
        actual: `the server ended with ${code}: ${last}`,
      }),
  );
  try {
    const client = await Promise.race([
      waitReady({ socket, database, password: door?.password }, LOAD_TIMEOUT_MS, signal),
      ended,
      // One that waits for the pipe it is to load says nothing, not even that it is loading.
      ...(signal ? [aborted(signal)] : []),
    ]);
    try {
      return await Promise.race([work(client), ended]);
    } finally {
      client.disconnect();
    }
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}
