import type { Secret } from './secret.ts';
import type { JsonObject } from './tyk-conf.ts';

/** How Tyk's configurations say where Redis is: a server, Sentinels or a Cluster. All must say the same. Pure. */

/** The Redis that a configuration is to point at. Nodes are `host:port`. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: Secret;
  readonly database?: number;
  readonly sentinel?: {
    readonly name: string;
    readonly nodes: readonly string[];
    readonly password?: Secret;
  };
  readonly cluster?: { readonly nodes: readonly string[] };
  /** Paths. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

interface Names {
  readonly prefix: '' | 'redis_';
  /** Fields that turn TLS on: the Pump has an old name and a new one. */
  readonly useTls: readonly string[];
  /** What stands before ca_file, cert_file and key_file. */
  readonly file: '' | 'redis_' | 'ssl_';
}

/** By Tyk's reference of each: `storage` of tyk.conf, tyk_analytics.conf itself, `analytics_storage_config` of pump.conf. */
const NAMES: Readonly<Record<'gateway' | 'dashboard' | 'pump', Names>> = {
  gateway: { prefix: '', useTls: ['use_ssl'], file: '' },
  dashboard: { prefix: 'redis_', useTls: ['redis_use_ssl'], file: 'redis_' },
  pump: { prefix: '', useTls: ['use_ssl', 'redis_use_ssl'], file: 'ssl_' },
};

/** Changes `conf` itself. What only another kind of Redis needs is taken out. */
export function pointAtRedis(kind: keyof typeof NAMES, conf: JsonObject, to: RedisTarget): void {
  const { prefix, useTls, file } = NAMES[kind];
  const set = (name: string, value: JsonObject[string] | undefined): void => {
    if (value === undefined) delete conf[name];
    else conf[name] = value;
  };
  const { sentinel, cluster, tls } = to;
  const nodes = (sentinel ?? cluster)?.nodes;
  set(`${prefix}host`, nodes ? undefined : to.host);
  set(`${prefix}port`, nodes ? undefined : to.port);
  set(`${prefix}hosts`, undefined);
  set(`${prefix}addrs`, nodes && [...nodes]);
  set(`${prefix}master_name`, sentinel?.name);
  set(`${prefix}sentinel_password`, sentinel?.password?.reveal());
  set(`${prefix}username`, to.username);
  set(`${prefix}password`, to.password?.reveal());
  // The Dashboard's has no prefix either.
  if (cluster || conf['enable_cluster'] !== undefined) conf['enable_cluster'] = cluster !== undefined;
  if (to.database !== undefined) conf[`${prefix}database`] = to.database;
  for (const name of useTls) if (tls || conf[name] !== undefined) conf[name] = tls !== undefined;
  for (const part of ['ca', 'cert', 'key'] as const) {
    const path = tls?.[part];
    if (path !== undefined) conf[`${file}${part}_file`] = path;
  }
}
