import type { QueryResult } from 'pg';
import { connect, type Client, type Connection } from '../../adapters/postgres/client.ts';
import type { Conf } from '../gateway/conf.ts';
import { log, reasonOf } from '../gateway/log.ts';
import { connectRedis } from '../gateway/redis.ts';

/** The stores that the writer writes to. Each comes back by itself; writes meanwhile fail at once. */

const RETRY_MS = 250;
const QUERY_TIMEOUT_MS = 5000;

/** Rows of `lab_journal`, over one connection so that they are committed in the order of their numbers. */
export class PostgresStore {
  readonly name = 'postgres';
  readonly #connection: Connection;
  #client: Client | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    void this.#connect();
  }

  /** Ends when the row is committed. Throws where that is not certain. */
  async write(seq: number): Promise<void> {
    const client = this.#client;
    if (!client) throw new Error('postgresql is not connected');
    try {
      await ask(client, 'INSERT INTO lab_journal (seq, at) VALUES ($1, now())', [seq]);
    } catch (error) {
      this.#lose(client, error);
      throw error;
    }
  }

  /** What is under way may end. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    let client: Client | undefined;
    try {
      client = await connect(this.#connection);
      await ask(
        client,
        'CREATE TABLE IF NOT EXISTS lab_journal (seq bigint PRIMARY KEY, at timestamptz NOT NULL)',
      );
      this.#client = client;
      log('info', 'postgresql is connected');
    } catch {
      void client?.end().catch(() => undefined);
      this.#retry = setTimeout(() => void this.#connect(), RETRY_MS);
    }
  }

  /** After a timeout nobody knows what the next answer would belong to, so any failure costs the connection. */
  #lose(client: Client, error: unknown): void {
    if (this.#client !== client) return;
    log('error', `postgresql is lost: ${reasonOf(error)}`);
    this.#client = undefined;
    void client.end().catch(() => undefined);
    this.#retry = setTimeout(() => void this.#connect(), RETRY_MS);
  }
}

/** Keys `lab-journal-<seq>`, and the highest number so far in `lab-journal-max`. */
export class RedisStore {
  readonly name = 'redis';
  readonly #redis: ReturnType<typeof connectRedis>;

  constructor(connection: Conf['redis']) {
    this.#redis = connectRedis(connection, 'journal');
  }

  /** Ends when Redis has taken both keys. Throws where that is not certain. */
  async write(seq: number): Promise<void> {
    const results = await this.#redis
      .multi()
      .set(`lab-journal-${seq}`, new Date().toISOString())
      .set('lab-journal-max', seq)
      .exec();
    const failure = results?.find(([error]) => error)?.[0];
    if (!results || failure) throw failure ?? new Error('the transaction was given up');
  }

  async close(): Promise<void> {
    await this.#redis.quit().catch(() => undefined);
  }
}

function ask(client: Client, text: string, values: unknown[] = []): Promise<QueryResult> {
  const query = { text, values, query_timeout: QUERY_TIMEOUT_MS };
  return client.query(query);
}
