import { readFile } from 'node:fs/promises';
import { Secret } from '../../domain/secret.ts';
import type { GatewayConf } from '../tyk/gateway-conf.ts';
import type { KeyHashFunction } from '../tyk/key-hash.ts';

/** `tyk.conf` as the stand-in uses it; whatever the file leaves out has the Gateway's own default. */
export interface Conf {
  readonly listenAddress: string;
  readonly listenPort: number;
  readonly secret: Secret;
  readonly nodeSecret: Secret;
  readonly redis: {
    readonly host: string;
    readonly port: number;
    readonly password: Secret;
    readonly database: number;
  };
  /** Undefined in file mode. */
  readonly dashboardUrl: string | undefined;
  readonly policiesUrl: string | undefined;
  readonly explicitPolicyIds: boolean;
  /** Undefined where the Gateway is not segmented and serves every API. */
  readonly tags: readonly string[] | undefined;
  readonly appPath: string;
  readonly policyPath: string;
  readonly hashKeys: boolean;
  readonly hashKeyFunction: KeyHashFunction | '';
  readonly analytics:
    { readonly multipleLists: boolean; readonly expirySeconds: number | undefined } | undefined;
  readonly healthPath: string;
  readonly checkMs: number;
}

type Partially<T> = { readonly [K in keyof T]?: T[K] extends object ? Partial<T[K]> : T[K] };

const DEFAULT_PORT = 8080;
const DEFAULT_REDIS_PORT = 6379;
const DEFAULT_CHECK_SECONDS = 10;
const DEFAULT_EXPIRY_SECONDS = 60;
const NEVER_EXPIRES = -1;

/** Reads a `tyk.conf`. Throws where the file is missing or no JSON, or a Dashboard is used without a secret. */
export async function readConf(file: string): Promise<Conf> {
  const conf = JSON.parse(await readFile(file, 'utf8')) as Partially<GatewayConf>;
  if (conf.use_db_app_configs && !conf.node_secret) throw new Error('node_secret is not set');
  const options = conf.db_app_conf_options;
  const policies = conf.policies;
  return {
    listenAddress: conf.listen_address ?? '',
    listenPort: conf.listen_port ?? DEFAULT_PORT,
    secret: new Secret(conf.secret ?? ''),
    nodeSecret: new Secret(conf.node_secret ?? ''),
    redis: {
      host: conf.storage?.host || '127.0.0.1',
      port: conf.storage?.port || DEFAULT_REDIS_PORT,
      password: new Secret(conf.storage?.password ?? ''),
      database: conf.storage?.database ?? 0,
    },
    dashboardUrl: conf.use_db_app_configs ? (options?.connection_string ?? '') : undefined,
    policiesUrl:
      policies?.policy_source === 'service' ? (policies.policy_connection_string ?? '') : undefined,
    explicitPolicyIds: policies?.allow_explicit_policy_id ?? false,
    tags: options?.node_is_segmented ? (options.tags ?? []) : undefined,
    appPath: conf.app_path ?? '',
    policyPath: policies?.policy_path ?? '',
    hashKeys: conf.hash_keys ?? false,
    hashKeyFunction: conf.hash_key_function ?? '',
    analytics: conf.enable_analytics ? analyticsOf(conf.analytics_config ?? {}) : undefined,
    healthPath: `/${conf.health_check_endpoint_name || 'hello'}`,
    checkMs: (conf.liveness_check?.check_duration || DEFAULT_CHECK_SECONDS) * 1000,
  };
}

function analyticsOf(config: Partial<GatewayConf['analytics_config']>): Conf['analytics'] {
  const expiry = config.storage_expiration_time || DEFAULT_EXPIRY_SECONDS;
  return {
    multipleLists: config.enable_multiple_analytics_keys ?? false,
    expirySeconds: expiry === NEVER_EXPIRES ? undefined : expiry,
  };
}
