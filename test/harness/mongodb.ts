import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Db, MongoClient } from 'mongodb';
import { waitReady, type MongoEndpoint } from '../../adapters/mongodb/client.ts';
import { ferretdbCommand } from '../../lab/mongodb.ts';
import { freePort } from './gateway.ts';

/** The lab's MongoDB server, FerretDB, with a data folder of its own; it dies with the tests. */

const READY_TIMEOUT_MS = 30_000;

export interface TestMongo {
  readonly dir: string;
  readonly endpoint: MongoEndpoint;
  readonly db: () => Db;
  readonly close: () => Promise<void>;
}

export async function startTestMongo(database = 'tyk_analytics'): Promise<TestMongo> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-mongo-test-'));
  await mkdir(join(dir, 'data'));
  const endpoint = { host: '127.0.0.1', port: await freePort(), database };
  const argv = ferretdbCommand(join(dir, 'data'), endpoint.port);
  const server: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: 'ignore' });
  const client: MongoClient = await waitReady(endpoint, READY_TIMEOUT_MS);
  return {
    dir,
    endpoint,
    db: () => client.db(database),
    close: async () => {
      await client.close();
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
