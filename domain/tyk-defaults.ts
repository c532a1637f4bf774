import { isObject, jsonOf, type Json } from './json.ts';

/**
 * Settings that matter to a recovery, with the defaults that Tyk documents (tyk.io/docs, 5.x): what a rebuilt site must
 * have again. None of them is a secret. Pure.
 */

export type TykFile = 'gateway' | 'dashboard' | 'pump';

interface Known {
  readonly path: string;
  readonly standard: string | number | boolean;
  readonly why: string;
}

const known = (path: string, standard: Known['standard'], why: string): Known => ({ path, standard, why });

const DEFAULTS: Readonly<Record<TykFile, readonly Known[]>> = {
  gateway: [
    known('listen_port', 8080, 'where clients and the load balancer come in'),
    known(
      'control_api_port',
      0,
      'the control API has a port of its own, which must not be open to the outside',
    ),
    known('use_db_app_configs', false, 'APIs come from the Dashboard and not from files'),
    known('hash_keys', false, 'keys made with another setting are all refused'),
    known('enable_hashed_keys_listing', false, 'hashes of keys can be listed'),
    known('enable_analytics', false, 'requests are recorded'),
    known('analytics_config.storage_expiration_time', 60, 'seconds that records wait in Redis for a Pump'),
    known('analytics_config.enable_multiple_analytics_keys', false, 'records lie under several keys'),
    known('health_check_endpoint_name', 'hello', 'probes and load balancers ask it'),
    known('liveness_check.check_duration', 10_000_000_000, 'nanoseconds until a failure shows in the health'),
    known('resource_sync.retry_attempts', 0, 'how often loading from the Dashboard is tried again'),
    known('db_app_conf_options.node_is_segmented', false, 'the Gateway loads only APIs of its tags'),
    known('storage.enable_cluster', false, 'Redis is a Cluster'),
    known('storage.use_ssl', false, 'TLS towards Redis'),
    known('allow_insecure_configs', false, 'notifications without a signature are taken'),
    known('disable_dashboard_zeroconf', false, 'the Dashboard is found by its address alone'),
    known('suppress_redis_signal_reload', false, 'notifications in Redis reload nothing'),
  ],
  dashboard: [
    known('listen_port', 3000, 'where users and Gateways come in'),
    known('hash_keys', false, 'must be as in the Gateways'),
    known('enable_cluster', false, 'Redis is a Cluster'),
    known('redis_use_ssl', false, 'TLS towards Redis'),
    known('audit.format', 'text', 'json is what names lost changes'),
    known('audit.store_type', 'file', 'in the database it is lost with the database'),
    known('audit.detailed_recording', false, 'what was answered, keys included, stands in the audit log'),
    known('enable_multi_org_users', false, 'one user may be of several organisations'),
  ],
  pump: [
    known('health_check_endpoint_name', 'health', 'probes ask it'),
    known('health_check_endpoint_port', 8083, 'probes ask it'),
    known('dont_purge_uptime_data', false, 'uptime data stay in Redis'),
  ],
};

export interface CustomSetting {
  readonly path: string;
  readonly value: string;
  readonly standard: string;
  readonly why: string;
}

export interface CustomSettings {
  readonly differ: readonly CustomSetting[];
  /** As the default, or not set. */
  readonly same: number;
  /** Names of settings whose default is not known here; never their values. */
  readonly others: readonly string[];
}

/** @param text the configuration file; undefined where it is no JSON object */
export function customSettings(file: TykFile, text: string): CustomSettings | undefined {
  const conf = jsonOf(text) as Json | undefined;
  if (!isObject(conf)) return undefined;
  const table = DEFAULTS[file];
  const differ = table.flatMap(({ path, standard, why }): CustomSetting[] => {
    const value = at(conf, path);
    if (value === undefined || value === standard || isObject(value) || Array.isArray(value)) return [];
    return [{ path, value: String(value), standard: String(standard), why }];
  });
  const named = new Set(table.map(({ path }) => path.split('.')[0]));
  return {
    differ,
    same: table.length - differ.length,
    others: Object.keys(conf)
      .filter((name) => !named.has(name))
      .sort(),
  };
}

function at(conf: { [key: string]: Json }, path: string): Json | undefined {
  let value: Json | undefined = conf;
  for (const part of path.split('.')) value = isObject(value) ? value[part] : undefined;
  return value;
}

/** The configuration of Tyk's that is looked at. */
export interface ConfigFiles {
  /** `git, set ...`, `set ...`; absent where there is nothing to compare. */
  readonly from?: string;
  /** By the path in the set: `gateway-gw1/tyk.conf`. Secrets have been replaced. */
  readonly files?: ReadonlyMap<string, string>;
  readonly why?: string;
}
