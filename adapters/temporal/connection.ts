import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { Config } from '../../domain/config.ts';
import type { TemporalEncryption, TemporalTls } from '../../domain/config-temporal.ts';
import { DrError } from '../../domain/errors.ts';
import { isSecretRef } from '../../domain/secret.ts';
import { resolveSecret } from '../config/secrets.ts';
import { EncryptingCodec } from './codec.ts';
import { whyUnreachable } from './why-unreachable.ts';

/**
 * Where Temporal is and how it is spoken to. Its own environment configuration (TEMPORAL_ADDRESS, profiles, TLS, API
 * key) wins over the `temporal` section of tyk-dr.yaml; without either it is the development server's default.
 */

export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  readonly options: { address: string } & NativeConnectionOptions;
  /** For every client and worker: without it nothing encrypted can be read. */
  readonly dataConverter: DataConverter;
  readonly encrypted: boolean;
}

const DEFAULT_ADDRESS = '127.0.0.1:7233';

/** @throws DrError SECRET_MISSING, PAYLOAD_KEY_UNUSABLE, TEMPORAL_UNREACHABLE for a certificate that cannot be read */
export async function temporalSettings(config: Pick<Config, 'temporal'>): Promise<TemporalSettings> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const fromEnvironment =
    process.env['TEMPORAL_ADDRESS'] !== undefined || process.env['TEMPORAL_PROFILE'] !== undefined;
  const address =
    (fromEnvironment ? connectionOptions.address : undefined) ??
    config.temporal?.address ??
    connectionOptions.address ??
    DEFAULT_ADDRESS;
  const tls = connectionOptions.tls ?? (config.temporal?.tls && (await tlsOf(config.temporal.tls, address)));
  const encryption = config.temporal?.encryption;
  return {
    address,
    namespace: process.env['TEMPORAL_NAMESPACE'] ?? config.temporal?.namespace ?? namespace ?? 'default',
    options: { ...connectionOptions, address, ...(tls === undefined ? {} : { tls }) },
    dataConverter: {
      payloadCodecs: [await codecOf(encryption)],
      ...(encryption && { failureConverterPath: FAILURE_CONVERTER }),
    },
    encrypted: encryption !== undefined,
  };
}

export const FAILURE_CONVERTER = fileURLToPath(new URL('./failure-converter.cjs', import.meta.url));

/** The codec of a configuration; one without any key says so when it is to read something encrypted. */
export async function codecOf(encryption: TemporalEncryption | undefined): Promise<EncryptingCodec> {
  const { keys = [], active = keys[0]?.id } = encryption ?? {};
  const secrets = await Promise.all(keys.map(async ({ id, key }) => [id, await resolveSecret(key)] as const));
  return new EncryptingCodec(new Map(secrets), active);
}

/** What is thrown where no connection comes about: with the reason, which Temporal's client keeps to itself. */
export async function unreachable(settings: TemporalSettings, cause: unknown): Promise<DrError> {
  const { address, options } = settings;
  const reason = (await whyUnreachable(address, options.tls)) ?? certificateWords(cause);
  return new DrError('TEMPORAL_UNREACHABLE', { address, reason }, { cause });
}

/** What only the worker's own TLS refuses, which is stricter than Node's. */
function certificateWords(cause: unknown): string | undefined {
  const text = String(cause);
  if (text.includes('UnsupportedCertVersion'))
    return 'a certificate is of X.509 version 1; make it with an extension, such as extendedKeyUsage=clientAuth';
  return /InvalidCertificate\((.*)\)\)/.exec(text)?.[0].slice(0, 200);
}

type Tls = Exclude<NativeConnectionOptions['tls'], boolean | null | undefined>;

async function tlsOf(tls: TemporalTls, address: string): Promise<Tls> {
  const read = async (what: string, place: string): Promise<Buffer> => {
    try {
      if (!isSecretRef(place)) return await readFile(place);
      return Buffer.from((await resolveSecret(place)).reveal());
    } catch (error) {
      if (error instanceof DrError) throw error;
      const reason = `temporal.tls.${what}, ${place}, cannot be read (${(error as NodeJS.ErrnoException).code ?? error})`;
      throw new DrError('TEMPORAL_UNREACHABLE', { address, reason }, { cause: error });
    }
  };
  const { ca, certificate, key, serverName } = tls;
  return {
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
    ...(ca === undefined ? {} : { serverRootCACertificate: await read('ca', ca) }),
    ...(certificate === undefined || key === undefined
      ? {}
      : {
          clientCertPair: {
            crt: await read('certificate', certificate),
            key: await read('key', key),
          },
        }),
  };
}
