import { mkdir, rm } from 'node:fs/promises';
import type { Db } from 'mongodb';
import { endedByItself, startAttached } from '../host/attached.ts';
import { freePort } from '../host/free-port.ts';
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
  const { child, ended } = startAttached(argv, endedByItself('the scratch MongoDB', argv[0]!));
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
