import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { DrError } from '../../domain/errors.ts';
import { requireWithinDrill } from '../host/isolation.ts';
import { addressOf, denied, tlsOptions, type RedisEndpoint } from './client.ts';

/**
 * The RDB of a live server, over the replication link: never SAVE, which stalls every client for seconds. The
 * server forks, as for any replica. Spoken directly, because redis-cli leaves the protocol's end mark behind the
 * RDB when it writes to a pipe, and an append-only set with those forty bytes does not load.
 */

const CONNECT_TIMEOUT_MS = 5_000;
/** The server sends a newline every few seconds while it forks and dumps; silence for longer is a broken link. */
const SILENCE_TIMEOUT_MS = 60_000;
const END_MARK_BYTES = 40;

/** @throws (through the stream) DrError STORE_UNREACHABLE where the transfer does not end as announced. */
export function streamRdb(endpoint: RedisEndpoint, signal?: AbortSignal): Readable {
  return Readable.from(transfer(endpoint, signal), { objectMode: false });
}

async function* transfer(endpoint: RedisEndpoint, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const address = { host: endpoint.host ?? '127.0.0.1', port: endpoint.port ?? 6379 };
  requireWithinDrill(address.host, address.port);
  const options = { ...address, noDelay: true, ...(signal ? { signal } : {}) };
  const { tls } = endpoint;
  const socket = tls ? connectTls({ ...options, ...tlsOptions(tls, address.host) }) : connect(options);
  const broken = (reason: string, cause?: unknown): DrError =>
    new DrError(
      'STORE_UNREACHABLE',
      { store: 'Redis replication', address: addressOf(endpoint), reason },
      { cause },
    );
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
  try {
    await once(socket, tls ? 'secureConnect' : 'connect');
    socket.setTimeout(SILENCE_TIMEOUT_MS);
    yield* payload(new Incoming(socket), endpoint, broken);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof DrError
      ? error
      : broken(error instanceof Error ? error.message : String(error), error);
  } finally {
    socket.destroy();
  }
}

async function* payload(
  incoming: Incoming,
  endpoint: RedisEndpoint,
  broken: (reason: string) => DrError,
): AsyncGenerator<Buffer> {
  if (endpoint.password)
    await command(
      incoming,
      ['AUTH', ...(endpoint.username === undefined ? [] : [endpoint.username]), endpoint.password.reveal()],
      endpoint,
      broken,
    );
  // Only the snapshot, please, and it may come straight from the fork without a file on the server's disk.
  await command(incoming, ['REPLCONF', 'rdb-only', '1'], endpoint, broken);
  await command(incoming, ['REPLCONF', 'capa', 'eof'], endpoint, broken);
  incoming.send(['SYNC']);
  let header = '';
  while (header === '') header = await incoming.line();
  const [, length, mark] = /^\$(?:(\d+)|EOF:(.{40}))$/.exec(header) ?? [];
  if (length !== undefined) yield* counted(incoming, Number(length), broken);
  else if (mark !== undefined) yield* marked(incoming, Buffer.from(mark, 'latin1'), broken);
  else {
    const error = Object.assign(new Error(header.slice(1, 200)), { command: { name: 'SYNC' } });
    throw denied(error, endpoint) ?? broken(`SYNC was answered with ${header.slice(0, 100)}`);
  }
}

async function* counted(
  incoming: Incoming,
  length: number,
  broken: (reason: string) => DrError,
): AsyncGenerator<Buffer> {
  let left = length;
  while (left > 0) {
    const chunk = await incoming.chunk();
    if (!chunk) throw broken(`the link ended ${left} bytes before the RDB did`);
    yield chunk.subarray(0, left);
    left -= Math.min(left, chunk.length);
  }
}

/** Keeps back what may be the mark: only at the end is it known which bytes it is. */
async function* marked(
  incoming: Incoming,
  mark: Buffer,
  broken: (reason: string) => DrError,
): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await incoming.chunk();
    if (!chunk) throw broken('the link ended before the mark that ends the RDB');
    if (chunk.length < END_MARK_BYTES) held = Buffer.concat([held, chunk]);
    else {
      // Whole, and not copied: the mark is in what has come after it.
      if (held.length > 0) yield held;
      held = chunk;
    }
    if (!held.subarray(-END_MARK_BYTES).equals(mark)) continue;
    if (held.length > END_MARK_BYTES) yield held.subarray(0, -END_MARK_BYTES);
    return;
  }
}

async function command(
  incoming: Incoming,
  words: readonly string[],
  endpoint: RedisEndpoint,
  broken: (reason: string) => DrError,
): Promise<void> {
  incoming.send(words);
  const answer = await incoming.line();
  // rdb-only came with Redis 7; older servers may refuse it and still send the snapshot.
  if (!answer.startsWith('-') || words[1] === 'rdb-only') return;
  const error = Object.assign(new Error(answer.slice(1)), { command: { name: words[0] } });
  throw denied(error, endpoint) ?? broken(error.message);
}

/** What the server sends, first by line and then as it comes. */
class Incoming {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = (socket as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  send(words: readonly string[]): void {
    this.#socket.write(
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    );
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.subarray(0, end).toString('latin1').replace(/\r$/, '');
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      const next = await this.#chunks.next();
      if (next.done) throw new Error('the server closed the connection');
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
  }

  /** Undefined at the end. */
  async chunk(): Promise<Buffer | undefined> {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = Buffer.alloc(0);
      return rest;
    }
    const next = await this.#chunks.next();
    return next.done ? undefined : next.value;
  }
}

/** From the file's first nine bytes, `REDIS0010`. Undefined where it is no RDB. */
export function rdbVersion(head: Buffer): number | undefined {
  const version = /^REDIS(\d{4})$/.exec(head.subarray(0, 9).toString('latin1'))?.[1];
  return version === undefined ? undefined : Number(version);
}
