import type { QueryResult } from 'pg';
import { connect, type Client, type Connection } from '../../adapters/postgres/client.ts';
import { log, reasonOf } from '../gateway/log.ts';
import type { AnalyticsRecord } from '../tyk/analytics-record.ts';
import { toRow } from './row.ts';

/** What one pump keeps: its table, made where it is missing, and the statement that takes rows as a JSON array. */
export interface Table {
  readonly name: string;
  readonly create: readonly string[];
  readonly write: string;
}

/** A server that accepts and never answers must not hold the Pump for longer than this. */
const QUERY_TIMEOUT_MS = 5000;

/** One pump of the Pump: a place in a database that may go away and come back. */
export interface Sink {
  /** Connects now, so that what is missing is made before the first record. Failing is reported, not thrown. */
  open(): Promise<void>;
  /** Records that the database does not take are lost, as with a real Pump. */
  write(records: readonly AnalyticsRecord[]): Promise<void>;
  close(): Promise<void>;
}

export class PostgresSink implements Sink {
  readonly #connection: Connection;
  readonly #table: Table;
  #client: Client | undefined;

  constructor(connection: Connection, table: Table) {
    this.#connection = connection;
    this.#table = table;
  }

  async open(): Promise<void> {
    await this.#connected().catch((error: unknown) => this.#lose(error));
  }

  /** Writes a chunk whole or not at all. */
  async write(records: readonly AnalyticsRecord[]): Promise<void> {
    try {
      const client = await this.#connected();
      await ask(client, this.#table.write, [JSON.stringify(records.map(toRow))]);
    } catch (error) {
      log('error', `${records.length} records are not in ${this.#table.name}`);
      this.#lose(error);
    }
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
  }

  async #connected(): Promise<Client> {
    if (this.#client) return this.#client;
    const client = await connect(this.#connection);
    client.once('end', () => (this.#client = this.#client === client ? undefined : this.#client));
    this.#client = client;
    await ask(client, `SET TIME ZONE 'UTC'`);
    await makeTable(client, this.#table);
    log('info', `the database of ${this.#table.name} is connected`);
    return client;
  }

  /** Any failure costs the connection: after a timeout nobody knows what its next answer would belong to. */
  #lose(error: unknown): void {
    log('error', `${this.#table.name}: ${reasonOf(error)}`);
    void this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }
}

/** An existing table is left as it is, its missing indexes too: what a real Pump does after a restore. */
async function makeTable(client: Client, table: Table): Promise<void> {
  const { rows } = await ask(client, 'SELECT to_regclass($1) IS NOT NULL AS exists', [table.name]);
  if ((rows[0] as { exists: boolean }).exists) return;
  for (const statement of table.create) await ask(client, statement);
  log('info', `${table.name} is created`);
}

function ask(client: Client, text: string, values: unknown[] = []): Promise<QueryResult> {
  const query = { text, values, query_timeout: QUERY_TIMEOUT_MS };
  return client.query(query);
}
