import { readFile } from 'node:fs/promises';
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
  readonly database: Dsn;
  readonly adminSecret: Secret;
  readonly nodeSecret: Secret;
}

interface File {
  readonly listen_port: number;
  readonly redis_host: string;
  readonly redis_port: number | string;
  readonly redis_password?: string;
  readonly storage: { readonly main: { readonly type: string; readonly connection_string: string } };
  readonly admin_secret?: string;
  readonly shared_node_secret?: string;
}

export async function readConf(path: string): Promise<Conf> {
  const file = JSON.parse(await readFile(path, 'utf8')) as File;
  if (file.storage.main.type !== 'postgres')
    throw new Error(`storage.main.type is ${file.storage.main.type}; this stand-in has postgres only`);
  return {
    port: file.listen_port,
    redis: {
      host: file.redis_host,
      port: Number(file.redis_port),
      password: new Secret(file.redis_password ?? ''),
      database: 0,
    },
    database: parseDsn(file.storage.main.connection_string),
    adminSecret: new Secret(file.admin_secret ?? ''),
    nodeSecret: new Secret(file.shared_node_secret ?? ''),
  };
}
