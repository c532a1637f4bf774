import { mongoUrl, type MongoAddress } from './mongo-url.ts';
import type { Secret } from './secret.ts';
import { pointAtRedis, type RedisTarget } from './tyk-conf-redis.ts';

/**
 * Restored configurations follow the target: every address, secret and path in them becomes the target's. Field
 * names are those of Tyk's own reference for tyk.conf, tyk_analytics.conf and pump.conf. Pure.
 */

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Everything at a site that a configuration may point at. */
export interface Endpoints {
  /** The folder of the component that the configuration belongs to. */
  readonly root: string;
  /** Where the component itself listens; absent for a part without a port. */
  readonly listen?: string;
  readonly redis?: RedisTarget;
  readonly database?: {
    readonly host: string;
    readonly port: number;
    readonly name: string;
    readonly user: string;
    readonly password: Secret;
  };
  /** In place of `database` where that is a MongoDB. */
  readonly mongodb?: MongoAddress;
  readonly dashboardUrl?: string;
  /** The Gateway whose control API the Dashboard uses. */
  readonly gatewayUrl?: string;
  readonly secrets: {
    readonly gateway: Secret;
    readonly node: Secret;
    readonly admin?: Secret;
    readonly certificate?: Secret;
  };
}

export type ConfKind = 'gateway' | 'dashboard' | 'pump';

/** @returns a new configuration; the one passed in is not changed. */
export function rewriteConf(kind: ConfKind, conf: JsonObject, fromRoot: string, to: Endpoints): JsonObject {
  const moved = movePaths(conf, fromRoot, to.root) as JsonObject;
  if (kind === 'gateway') rewriteGateway(moved, to);
  else if (kind === 'dashboard') rewriteDashboard(moved, to);
  else rewritePump(moved, to);
  return moved;
}

function rewriteGateway(conf: JsonObject, to: Endpoints): void {
  setListen(conf, to);
  conf['secret'] = to.secrets.gateway.reveal();
  conf['node_secret'] = to.secrets.node.reveal();
  if (to.redis) {
    pointAtRedis('gateway', object(conf, 'storage'), to.redis);
    // Of its own, where it is kept apart: what is in it is not backed up, and its number there may be another.
    const { database: _, ...elsewhere } = to.redis;
    for (const name of ['cache_storage', 'analytics_storage'])
      if (isObject(conf[name])) pointAtRedis('gateway', conf[name], elsewhere);
  }
  if (to.secrets.certificate) {
    object(conf, 'security')['private_certificate_encoding_secret'] = to.secrets.certificate.reveal();
  }
  if (to.dashboardUrl === undefined) return;
  if (conf['use_db_app_configs'] === true)
    object(conf, 'db_app_conf_options')['connection_string'] = to.dashboardUrl;
  const policies = object(conf, 'policies');
  if (policies['policy_source'] === 'service') policies['policy_connection_string'] = to.dashboardUrl;
}

function rewriteDashboard(conf: JsonObject, to: Endpoints): void {
  setListen(conf, to);
  conf['shared_node_secret'] = to.secrets.node.reveal();
  if (to.secrets.admin) conf['admin_secret'] = to.secrets.admin.reveal();
  if (to.secrets.certificate) {
    object(conf, 'security')['private_certificate_encoding_secret'] = to.secrets.certificate.reveal();
  }
  const api = object(conf, 'tyk_api_config');
  api['Secret'] = to.secrets.gateway.reveal();
  if (to.gatewayUrl !== undefined) {
    const url = new URL(to.gatewayUrl);
    api['Host'] = `${url.protocol}//${url.hostname}`;
    api['Port'] = portOf(url);
  }
  if (to.redis) pointAtRedis('dashboard', conf, to.redis);
  if (to.mongodb && typeof conf['mongo_url'] === 'string')
    conf['mongo_url'] = mongoUrl(conf['mongo_url'], to.mongodb);
  const stores = conf['storage'];
  for (const store of isObject(stores) ? Object.values(stores) : []) {
    if (!isObject(store)) continue;
    const { type, connection_string: old } = store;
    if (to.database && type === 'postgres') store['connection_string'] = dsn(old, to.database);
    if (to.mongodb && type === 'mongo') store['connection_string'] = mongoUrl(old, to.mongodb);
  }
}

function rewritePump(conf: JsonObject, to: Endpoints): void {
  if (to.redis) pointAtRedis('pump', object(conf, 'analytics_storage_config'), to.redis);
  if (to.listen !== undefined) conf['health_check_endpoint_port'] = Number(portOf(new URL(to.listen)));
  const pumps = conf['pumps'];
  const all = [...(isObject(pumps) ? Object.values(pumps) : []), conf['uptime_pump_config'] ?? null];
  for (const pump of all) {
    const meta = isObject(pump) ? (isObject(pump['meta']) ? pump['meta'] : pump) : undefined;
    if (!meta) continue;
    if (to.database && typeof meta['connection_string'] === 'string')
      meta['connection_string'] = dsn(meta['connection_string'], to.database);
    if (to.mongodb && typeof meta['mongo_url'] === 'string')
      meta['mongo_url'] = mongoUrl(meta['mongo_url'], to.mongodb);
  }
}

function setListen(conf: JsonObject, to: Endpoints): void {
  if (to.listen !== undefined) conf['listen_port'] = Number(portOf(new URL(to.listen)));
}

/** A connection string for the target's database that keeps every other option of the old one (sslmode, ...). */
function dsn(old: Json | undefined, database: NonNullable<Endpoints['database']>): string {
  const options = new Map<string, string>();
  for (const [, key, quoted, bare] of String(old ?? '').matchAll(
    /(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S*))/g,
  )) {
    options.set(key!, quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '');
  }
  options.set('host', database.host).set('port', String(database.port)).set('dbname', database.name);
  options.set('user', database.user).set('password', database.password.reveal());
  return [...options].map(([key, value]) => `${key}=${quote(value)}`).join(' ');
}

function quote(value: string): string {
  return /^[^\s'\\]+$/.test(value) ? value : `'${value.replaceAll(/(['\\])/g, '\\$1')}'`;
}

function movePaths(value: Json, from: string, to: string): Json {
  if (typeof value === 'string') {
    return value === from || value.startsWith(`${from}/`) ? to + value.slice(from.length) : value;
  }
  if (Array.isArray(value)) return value.map((item) => movePaths(item, from, to));
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, movePaths(item, from, to)]));
  }
  return value;
}

/**
 * Addresses of the source that a rewritten configuration still holds: dotted paths of the fields. Empty is the
 * proof that nothing on the target will call the site that was given up.
 */
export function leftovers(
  conf: Json,
  source: readonly { readonly host: string; readonly port: number }[],
  path = '',
): string[] {
  if (Array.isArray(conf)) return conf.flatMap((item, index) => leftovers(item, source, `${path}[${index}]`));
  if (isObject(conf)) {
    return Object.entries(conf).flatMap(([key, item]) =>
      leftovers(item, source, path === '' ? key : `${path}.${key}`),
    );
  }
  const named = source.some(({ host, port }) => namesAddress(conf, host, port, path));
  return named ? [path] : [];
}

function namesAddress(
  value: string | number | boolean | null,
  host: string,
  port: number,
  path: string,
): boolean {
  if (/port$/i.test(path)) return Number(value) === port;
  if (typeof value !== 'string') return false;
  return (
    value.includes(`${host}:${port}`) || (value.includes(`host=${host}`) && value.includes(`port=${port}`))
  );
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

function object(parent: JsonObject, key: string): JsonObject {
  const existing = parent[key];
  if (isObject(existing)) return existing;
  const made: JsonObject = {};
  parent[key] = made;
  return made;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
