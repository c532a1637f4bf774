import pg from 'pg';
import { log } from '../gateway/log.ts';
import type { ApiDefinition, ApiListEntry, OasDocument } from '../tyk/api-definition.ts';
import type { Dsn } from '../tyk/dsn.ts';
import type { Policy } from '../tyk/policy.ts';

/** The Dashboard's database. Errors are errors: an unreachable database must never look like an empty one. */
export interface Store {
  /** What Gateways get: of every organisation, and only what is active. */
  publishedApis(): Promise<ApiListEntry[]>;
  organisationApis(orgId: string): Promise<ApiListEntry[]>;
  api(orgId: string, id: string): Promise<ApiListEntry | undefined>;
  /** @returns whether there was one to replace. */
  replaceApi(orgId: string, id: string, definition: ApiDefinition): Promise<boolean>;
  policies(orgId?: string): Promise<Policy[]>;
  users(orgId: string): Promise<unknown[]>;
  /** The organisation of an access key; undefined where nobody active has it. */
  organisationOf(accessKey: string): Promise<string | undefined>;
  organisations(): Promise<unknown[]>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 3_000;

export class PostgresStore implements Store {
  readonly #pool: pg.Pool;

  constructor({ host, port, user, password, database }: Dsn) {
    this.#pool = new pg.Pool({
      host,
      port,
      user,
      password: password.reveal(),
      database,
      max: 8,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: 15_000,
    });
    this.#pool.on('error', (error) => log('error', `database: ${error.message}`));
  }

  async publishedApis(): Promise<ApiListEntry[]> {
    return this.#apis('WHERE active', []);
  }

  organisationApis(orgId: string): Promise<ApiListEntry[]> {
    return this.#apis('WHERE org_id = $1', [orgId]);
  }

  async api(orgId: string, id: string): Promise<ApiListEntry | undefined> {
    return (await this.#apis('WHERE org_id = $1 AND (id = $2 OR api_id = $2)', [orgId, id]))[0];
  }

  async replaceApi(orgId: string, id: string, definition: ApiDefinition): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `UPDATE tyk_apis SET api_definition = $3, name = $4, listen_path = $5, active = $6, updated_at = now()
        WHERE org_id = $1 AND (id = $2 OR api_id = $2)`,
      [orgId, id, definition, definition.name, definition.proxy.listen_path, definition.active],
    );
    return rowCount === 1;
  }

  async policies(orgId?: string): Promise<Policy[]> {
    const { rows } = await this.#pool.query<{ policy: Policy }>(
      'SELECT policy FROM tyk_policies WHERE $1::text IS NULL OR org_id = $1 ORDER BY id',
      [orgId ?? null],
    );
    return rows.map(({ policy }) => policy);
  }

  async users(orgId: string): Promise<unknown[]> {
    const { rows } = await this.#pool.query(
      'SELECT id, email_address, active FROM tyk_analytics_users WHERE org_id = $1 ORDER BY id',
      [orgId],
    );
    return rows as unknown[];
  }

  async organisationOf(accessKey: string): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ org_id: string }>(
      'SELECT org_id FROM tyk_analytics_users WHERE access_key = $1 AND active',
      [accessKey],
    );
    return rows[0]?.org_id;
  }

  async organisations(): Promise<unknown[]> {
    const { rows } = await this.#pool.query(
      'SELECT id, owner_name, cname FROM tyk_organisations ORDER BY id',
    );
    return rows as unknown[];
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #apis(where: string, values: unknown[]): Promise<ApiListEntry[]> {
    const { rows } = await this.#pool.query<{ api_definition: ApiDefinition; oas: OasDocument | null }>(
      `SELECT api_definition, oas FROM tyk_apis ${where} ORDER BY id`,
      values,
    );
    return rows;
  }
}
