import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { BSON, Timestamp, type Document } from 'mongodb';
import { freePort } from '../../../adapters/host/free-port.ts';
import { waitReady } from '../../../adapters/mongodb/client.ts';
import type { Optime } from '../../../domain/replica-set.ts';
import { ferretdbCommand } from '../../../lab/mongodb.ts';
import { Refusal, type ReplConfig } from './rules.ts';
import { answer, insertedBy, onMessages, parse, request, type Message } from './wire.ts';

/** One stand-in of a member: FerretDB holds its data, and what FerretDB lacks is answered in front of it. */

export interface Entry {
  readonly optime: Optime;
  /** As it came in; absent of the entry with which a primary begins its term. */
  readonly raw?: Buffer;
}

export type State = 'STARTUP' | 'STARTUP2' | 'SECONDARY' | 'PRIMARY' | 'ROLLBACK' | 'REMOVED';

/** What the whole set answers for a member. */
export interface SetAnswers {
  readonly name: string;
  answer(member: Member, message: Message): Promise<Document | undefined>;
  wrote(member: Member, raw: Buffer): void;
}

const WRITES = [
  'insert',
  'update',
  'delete',
  'create',
  'createIndexes',
  'drop',
  'renameCollection',
  'findAndModify',
];
const READY_TIMEOUT_MS = 30_000;
/** What a server writes into an empty folder at its first start. */
const BEGUN = 'storage.bson';

export class Member {
  readonly name: string;
  readonly port: number;
  readonly dir: string;
  config: ReplConfig | undefined;
  log: Entry[] = [];
  state: State = 'STARTUP';
  electableAt = 0;
  /** A primary that steps down takes no write while it waits for others. */
  holdsWrites = false;
  /** Test: it reads nothing from its source. */
  paused = false;
  /** Test: members that it does not reach, nor they it. */
  readonly cutFrom = new Set<Member>();
  readonly #set: SetAnswers;
  #server: Server | undefined;
  #ferret: ChildProcess | undefined;
  #ferretPort = 0;
  #clients = new Set<Socket>();

  constructor(set: SetAnswers, port: number, dir: string) {
    this.#set = set;
    this.port = port;
    this.name = `127.0.0.1:${port}`;
    this.dir = dir;
  }

  get up(): boolean {
    return this.#server !== undefined;
  }

  get applied(): Optime | undefined {
    return this.log.at(-1)?.optime;
  }

  async start(): Promise<void> {
    if (this.up) return;
    await mkdir(this.dir, { recursive: true });
    if (!existsSync(join(this.dir, BEGUN))) {
      // An empty folder: it has no data, and waits for somebody's configuration.
      this.log = [];
      this.config = undefined;
      await writeFile(join(this.dir, BEGUN), '');
    }
    this.#ferretPort = await freePort();
    const argv = ferretdbCommand(join(this.dir, 'sqlite'), this.#ferretPort);
    this.#ferret = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: 'ignore' });
    const endpoint = { host: '127.0.0.1', port: this.#ferretPort, database: 'admin' };
    await (await waitReady(endpoint, READY_TIMEOUT_MS)).close();
    this.state = this.config ? 'SECONDARY' : 'STARTUP';
    const server = createServer((client) => this.#join(client));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    this.state = 'STARTUP';
    const exited = once(this.#ferret!, 'exit');
    this.#ferret!.kill('SIGKILL');
    for (const client of this.#clients) client.destroy();
    await Promise.all([exited, new Promise((resolve) => server.close(resolve))]);
  }

  sees(other: Member): boolean {
    return this.up && other.up && !this.cutFrom.has(other) && !other.cutFrom.has(this);
  }

  /** Brings an entry of another member's log into the data. */
  async apply(entry: Entry): Promise<void> {
    if (entry.raw) await this.#ask(entry.raw);
    this.log.push(entry);
  }

  /** Takes back what nobody else has, and keeps it in files, as a server does; here only what was inserted. */
  async rollBackTo(length: number): Promise<void> {
    for (const { raw } of this.log.splice(length).reverse()) {
      if (!raw || parse(raw).name !== 'insert') continue;
      const { command, database } = parse(raw);
      const documents = insertedBy(raw);
      const folder = join(this.dir, 'rollback', String(command['insert']));
      await mkdir(folder, { recursive: true });
      const file = join(folder, `removed.${new Date().toISOString()}.bson`);
      await writeFile(file, Buffer.concat(documents.map((each) => BSON.serialize(each))));
      const deletes = documents.map(({ _id }) => ({ q: { _id: _id as unknown }, limit: 1 }));
      await this.#ask(request({ delete: String(command['insert']), deletes, $db: database }));
    }
  }

  #join(client: Socket): void {
    this.#clients.add(client);
    const ferret = connect(this.#ferretPort, '127.0.0.1');
    const waiting: ((raw: Buffer) => void)[] = [];
    onMessages(ferret, (raw) => waiting.shift()?.(raw));
    const pass = (raw: Buffer): Promise<Buffer> =>
      new Promise((resolve) => {
        waiting.push(resolve);
        ferret.write(raw);
      });
    // One at a time: answers go out in the order of the questions.
    let turn = Promise.resolve();
    onMessages(client, (raw) => {
      turn = turn
        .then(async () => {
          client.write(await this.#answer(raw, pass));
        })
        .catch(() => void client.destroy());
    });
    for (const [socket, other] of [
      [client, ferret],
      [ferret, client],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
    }
    client.on('close', () => this.#clients.delete(client));
  }

  async #answer(raw: Buffer, pass: (raw: Buffer) => Promise<Buffer>): Promise<Buffer> {
    const message = parse(raw);
    try {
      const own = await this.#set.answer(this, message);
      if (own) return answer(message, { ...own, ok: 1 });
      const isWrite = WRITES.includes(message.name);
      if (isWrite && (this.state !== 'PRIMARY' || this.holdsWrites))
        throw new Refusal(10_107, 'NotWritablePrimary', 'not primary');
      const reply = await pass(raw);
      if (isWrite && parse(reply).command['ok'] === 1) this.#set.wrote(this, Buffer.from(raw));
      return reply;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { code, codeName, message: errmsg } = error;
      return answer(message, { ok: 0, code, codeName, errmsg });
    }
  }

  async #ask(raw: Buffer): Promise<void> {
    const socket = connect(this.#ferretPort, '127.0.0.1');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject);
        onMessages(socket, () => resolve());
        socket.write(raw);
      });
    } finally {
      socket.destroy();
    }
  }
}

export const timestampOf = ({ seconds, ordinal }: Optime): Timestamp =>
  new Timestamp({ t: seconds, i: ordinal });
