import { readFile } from 'node:fs/promises';
import { Secret } from '../../domain/secret.ts';
import { parseDsn, type Dsn } from '../tyk/dsn.ts';

/** `pump.conf` as the stand-in uses it; whatever the file leaves out has the Pump's own default. */
export interface Conf {
  readonly redis: {
    readonly host: string;
    readonly port: number;
    readonly password: Secret;
    readonly database: number;
  };
  readonly purgeDelayMs: number;
  /** The most records that one purge takes from a list; undefined for all. */
  readonly purgeChunk: number | undefined;
  readonly healthPath: string;
  readonly healthPort: number;
  /** Undefined where the file has no such pump. */
  readonly records: Dsn | undefined;
  readonly aggregates: Dsn | undefined;
  readonly mongoRecords: Secret | undefined;
  readonly mongoAggregates: Secret | undefined;
}

interface PumpConf {
  readonly analytics_storage_type?: string;
  readonly analytics_storage_config?: {
    readonly host?: string;
    readonly port?: number;
    readonly password?: string;
    readonly database?: number;
  };
  readonly purge_delay?: number;
  readonly purge_chunk?: number;
  readonly health_check_endpoint_name?: string;
  readonly health_check_endpoint_port?: number;
  readonly pumps?: Readonly<Record<string, PumpEntry>>;
}

interface PumpEntry {
  readonly type?: string;
  readonly meta?: {
    readonly type?: string;
    readonly connection_string?: string;
    readonly mongo_url?: string;
  };
}

const DEFAULT_REDIS_PORT = 6379;
const DEFAULT_PURGE_DELAY_SECONDS = 10;
const DEFAULT_HEALTH_PORT = 8083;

/** Reads a `pump.conf`. Throws where the file is missing or no JSON, or asks for what the stand-in cannot do. */
export async function readConf(file: string): Promise<Conf> {
  const conf = JSON.parse(await readFile(file, 'utf8')) as PumpConf;
  if ((conf.analytics_storage_type || 'redis') !== 'redis') {
    throw new Error('analytics_storage_type is not redis');
  }
  const storage = conf.analytics_storage_config;
  return {
    redis: {
      host: storage?.host || '127.0.0.1',
      port: storage?.port || DEFAULT_REDIS_PORT,
      password: new Secret(storage?.password ?? ''),
      database: storage?.database ?? 0,
    },
    purgeDelayMs: (conf.purge_delay || DEFAULT_PURGE_DELAY_SECONDS) * 1000,
    purgeChunk: conf.purge_chunk || undefined,
    healthPath: `/${conf.health_check_endpoint_name || 'health'}`,
    healthPort: conf.health_check_endpoint_port || DEFAULT_HEALTH_PORT,
    records: databaseOf(conf, 'sql'),
    aggregates: databaseOf(conf, 'sql_aggregate'),
    mongoRecords: mongoUrlOf(conf, 'mongo'),
    mongoAggregates: mongoUrlOf(conf, 'mongo-pump-aggregate'),
  };
}

function databaseOf(conf: PumpConf, type: 'sql' | 'sql_aggregate'): Dsn | undefined {
  const entry = entryOf(conf, type);
  if (!entry) return undefined;
  if (entry.meta?.type !== 'postgres') throw new Error(`pumps.${type}.meta.type is not postgres`);
  return parseDsn(entry.meta.connection_string ?? '');
}

function mongoUrlOf(conf: PumpConf, type: 'mongo' | 'mongo-pump-aggregate'): Secret | undefined {
  const entry = entryOf(conf, type);
  if (!entry) return undefined;
  if (!entry.meta?.mongo_url) throw new Error(`pumps.${type}.meta.mongo_url is missing`);
  return new Secret(entry.meta.mongo_url);
}

/** A pump's type is in its entry, or else is the entry's name. */
function entryOf(conf: PumpConf, type: string): PumpEntry | undefined {
  return Object.entries(conf.pumps ?? {}).find(([name, pump]) => (pump.type || name) === type)?.[1];
}
