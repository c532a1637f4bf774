import type { Secret } from '../../domain/secret.ts';
import type { KeyHashFunction } from './key-hash.ts';

/** The fields of a Gateway's `tyk.conf` that this project sets. Times are seconds. */
export interface GatewayConf {
  readonly listen_address: string;
  readonly listen_port: number;
  /** For the control API: clients send it as `X-Tyk-Authorization`. */
  readonly secret: string;
  readonly node_secret: string;
  readonly template_path: string;
  readonly pid_file_location: string;
  readonly storage: {
    readonly type: 'redis';
    readonly host: string;
    readonly port: number;
    readonly password: string;
    readonly database: number;
  };
  readonly use_db_app_configs: boolean;
  readonly db_app_conf_options: {
    readonly connection_string: string;
    readonly node_is_segmented: boolean;
    readonly tags: readonly string[];
  };
  readonly policies: {
    readonly policy_source: 'service' | 'file';
    readonly policy_connection_string: string;
    readonly policy_path: string;
    readonly allow_explicit_policy_id: boolean;
  };
  readonly app_path: string;
  readonly hash_keys: boolean;
  readonly hash_key_function: KeyHashFunction | '';
  readonly enable_analytics: boolean;
  readonly analytics_config: {
    readonly type: string;
    readonly storage_expiration_time: number;
    readonly enable_multiple_analytics_keys: boolean;
  };
  readonly health_check_endpoint_name: string;
  readonly liveness_check: { readonly check_duration: number };
}

export interface GatewayConfOptions {
  readonly listenAddress?: string;
  readonly listenPort: number;
  readonly secret: Secret;
  readonly nodeSecret: Secret;
  readonly redis: {
    readonly host: string;
    readonly port: number;
    readonly password: Secret;
    readonly database?: number;
  };
  /** Where definitions and policies come from: a Dashboard's URL, or two folders of JSON files. */
  readonly source:
    { readonly dashboardUrl: string } | { readonly appPath: string; readonly policyPath: string };
  /** Serve only the APIs with one of these tags. */
  readonly tags?: readonly string[];
  /** A Gateway does not start without a folder of error templates; the stand-in ignores it. */
  readonly templatePath?: string;
  readonly pidFile?: string;
  readonly hashKeys?: boolean;
  readonly hashKeyFunction?: KeyHashFunction | '';
  readonly analytics?: boolean;
  readonly checkSeconds?: number;
}

/** A complete `tyk.conf`. It holds secrets: write it with mode 0600. */
export function buildGatewayConf(options: GatewayConfOptions): GatewayConf {
  const fromDashboard = 'dashboardUrl' in options.source ? options.source.dashboardUrl : undefined;
  const fromFiles = 'appPath' in options.source ? options.source : undefined;
  return {
    listen_address: options.listenAddress ?? '127.0.0.1',
    listen_port: options.listenPort,
    secret: options.secret.reveal(),
    node_secret: options.nodeSecret.reveal(),
    template_path: options.templatePath ?? '',
    pid_file_location: options.pidFile ?? '',
    storage: {
      type: 'redis',
      host: options.redis.host,
      port: options.redis.port,
      password: options.redis.password.reveal(),
      database: options.redis.database ?? 0,
    },
    use_db_app_configs: fromDashboard !== undefined,
    db_app_conf_options: {
      connection_string: fromDashboard ?? '',
      node_is_segmented: options.tags !== undefined,
      tags: options.tags ?? [],
    },
    policies: {
      policy_source: fromDashboard === undefined ? 'file' : 'service',
      policy_connection_string: fromDashboard ?? '',
      policy_path: fromFiles?.policyPath ?? '',
      allow_explicit_policy_id: false,
    },
    app_path: fromFiles?.appPath ?? '',
    hash_keys: options.hashKeys ?? true,
    hash_key_function: options.hashKeyFunction ?? 'murmur64',
    enable_analytics: options.analytics ?? true,
    analytics_config: {
      type: '',
      storage_expiration_time: 60,
      enable_multiple_analytics_keys: false,
    },
    health_check_endpoint_name: 'hello',
    liveness_check: { check_duration: options.checkSeconds ?? 1 },
  };
}
