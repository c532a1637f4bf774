import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { Db, Document, MongoClient } from 'mongodb';
import { rawDocuments } from '../../adapters/mongodb/dump.ts';
import { waitReady, type MongoEndpoint } from '../../adapters/mongodb/client.ts';
import { ferretdbCommand } from '../../lab/mongodb.ts';
import { freePort } from '../../adapters/host/free-port.ts';

/** The lab's MongoDB server, FerretDB, with a data folder of its own; it dies with the tests. */

const READY_TIMEOUT_MS = 30_000;

export interface TestMongo {
  readonly dir: string;
  readonly endpoint: MongoEndpoint;
  readonly db: () => Db;
  readonly close: () => Promise<void>;
}

/** @param replicaSet told to clients; its oplog is where a test makes one. */
export async function startTestMongo(database = 'tyk_analytics', replicaSet?: string): Promise<TestMongo> {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-mongo-test-'));
  await mkdir(join(dir, 'data'));
  const endpoint = { host: '127.0.0.1', port: await freePort(), database };
  const set = replicaSet === undefined ? [] : ['--repl-set', replicaSet];
  const argv = [...ferretdbCommand(join(dir, 'data'), endpoint.port), ...set];
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

/** Every document of every collection, byte for byte, and what the server says of indexes and options. */
export async function contentOf(of: Db): Promise<Record<string, string[]>> {
  const content: Record<string, string[]> = {};
  for (const { name, options } of (await of.listCollections().toArray()) as {
    name: string;
    options: Document;
  }[]) {
    const documents: string[] = [];
    for await (const each of rawDocuments(of, name)) documents.push(each.toString('hex'));
    const indexes = await of.collection(name).listIndexes().toArray();
    content[name] = [
      ...documents,
      JSON.stringify(options),
      ...indexes.map((each) => JSON.stringify(each)).sort(),
    ];
  }
  return content;
}

/** Without what a restore keeps beside. */
export function live(content: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(content).filter(([name]) => !name.startsWith('tyk-dr-')));
}

/** A line to the server that breaks for good right before a write: what a killed worker would leave. */
export class Line {
  cutAtWrite = Infinity;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  readonly #answers: Promise<void>[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<Line> {
    const server = createServer();
    const made = new Line(server);
    server.on('connection', (socket) => made.#join(socket, createConnection(port, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  #join(client: Socket, server: Socket): void {
    let answered = Promise.resolve();
    let answer = (): void => undefined;
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        void answered.then(() => server.destroy());
      });
    }
    client.on('data', (bytes: Buffer) => {
      // The name of a command is the first in its message.
      const isWrite = /\x02(insert|update|delete|create|createIndexes|drop|renameCollection)\0/.test(
        bytes.toString('latin1'),
      );
      if (isWrite && this.cutAtWrite-- <= 0) {
        for (const each of this.#clients) each.destroy();
        return;
      }
      if (isWrite) {
        answered = new Promise((resolve) => (answer = resolve));
        this.#answers.push(answered);
      }
      server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      answer();
      client.write(bytes);
    });
    server.on('close', () => answer());
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
  }

  /** The server has done what it was told before the line was cut; the next to come finds it as it then is. */
  async quiet(): Promise<void> {
    await Promise.all(this.#answers.splice(0));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
