import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { Config } from '../../domain/config.ts';

/**
 * Where Temporal is. Its own environment configuration (TEMPORAL_ADDRESS, profiles, TLS, API key) wins over the
 * `temporal` section of tyk-dr.yaml; without either it is the development server's default.
 */

export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  readonly options: { address: string } & NativeConnectionOptions;
}

const DEFAULT_ADDRESS = '127.0.0.1:7233';

export function temporalConnection(config: Config | undefined): TemporalSettings {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const fromEnvironment =
    process.env['TEMPORAL_ADDRESS'] !== undefined || process.env['TEMPORAL_PROFILE'] !== undefined;
  const address =
    (fromEnvironment ? connectionOptions.address : undefined) ??
    config?.temporal?.address ??
    connectionOptions.address ??
    DEFAULT_ADDRESS;
  return {
    address,
    namespace: process.env['TEMPORAL_NAMESPACE'] ?? config?.temporal?.namespace ?? namespace ?? 'default',
    options: { ...connectionOptions, address },
  };
}
