import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdir, rm } from 'node:fs/promises';
import type { Db } from 'mongodb';
import { DrError } from '../../domain/errors.ts';
import { waitReady } from './client.ts';

/** A private server with an empty folder, on this host's loopback only; it dies with us and leaves nothing. */

const START_TIMEOUT_MS = 60_000;

/**
 * @param command with `{dir}` and `{port}` to be filled in.
 * @throws DrError TOOL_MISSING, SERVICE_FAILED; or what the work throws.
 */
export async function withScratchMongo<T>(
  command: readonly string[],
  dir: string,
  database: string,
  work: (db: Db, endpoint: { readonly host: string; readonly port: number }) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const argv = command.map((word) => word.replaceAll('{dir}', dir).replaceAll('{port}', String(port)));
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const remember = (chunk: Buffer): void => void (log = (log + chunk.toString()).slice(-2_000));
  child.stdout.on('data', remember);
  child.stderr.on('data', remember);
  const ended = once(child, 'exit').then(([code]): never => {
    if (code === 127) throw new DrError('TOOL_MISSING', { tool: argv[0]!, host: 'this host' });
    const reason = `it ended with ${code}: ${log.trim().split('\n').slice(-3).join(' / ')}`;
    throw new DrError('SERVICE_FAILED', {
      service: 'the scratch MongoDB',
      site: 'this host',
      action: 'run',
      reason,
    });
  });
  ended.catch(() => undefined);
  const over = new AbortController();
  const either = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
  const endpoint = { host: '127.0.0.1', port, database };
  try {
    const client = await Promise.race([waitReady(endpoint, START_TIMEOUT_MS, either), ended]);
    try {
      return await Promise.race([work(client.db(database), endpoint), ended]);
    } finally {
      await client.close();
    }
  } finally {
    over.abort();
    child.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
