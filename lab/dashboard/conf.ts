import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Secret } from '../../domain/secret.ts';
import { parseDsn, type Dsn } from '../tyk/dsn.ts';

/** The fields of tyk_analytics.conf that the stand-in reads. */
export interface Conf {
  readonly port: number;
  readonly redis: {
    readonly host: string;
    readonly port: number;
    readonly password: Secret;
    readonly database: number;
  };
  readonly database: { readonly postgres: Dsn } | { readonly mongoUrl: Secret };
  readonly adminSecret: Secret;
  readonly nodeSecret: Secret;
  /** Where writes are noted; beside the configuration where it is no absolute path. */
  readonly auditLog?: string;
}

interface File {
  readonly listen_port: number;
  readonly redis_host: string;
  readonly redis_port: number | string;
  readonly redis_password?: string;
  readonly storage: { readonly main: { readonly type: string; readonly connection_string: string } };
  readonly admin_secret?: string;
  readonly shared_node_secret?: string;
  readonly audit?: { readonly enabled?: boolean; readonly format?: string; readonly path?: string };
}

export async function readConf(path: string): Promise<Conf> {
  const file = JSON.parse(await readFile(path, 'utf8')) as File;
  return {
    port: file.listen_port,
    redis: {
      host: file.redis_host,
      port: Number(file.redis_port),
      password: new Secret(file.redis_password ?? ''),
      database: 0,
    },
    database: databaseOf(file.storage.main),
    adminSecret: new Secret(file.admin_secret ?? ''),
    nodeSecret: new Secret(file.shared_node_secret ?? ''),
    ...(file.audit?.enabled && file.audit.format === 'json' && file.audit.path
      ? { auditLog: resolve(dirname(path), file.audit.path) }
      : {}),
  };
}

function databaseOf({ type, connection_string: text }: File['storage']['main']): Conf['database'] {
  if (type === 'mongo') return { mongoUrl: new Secret(text) };
  if (type === 'postgres') return { postgres: parseDsn(text) };
  throw new Error(`storage.main.type is ${type}; this stand-in has postgres and mongo only`);
}
