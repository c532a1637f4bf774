import type { CopyConfig } from '../../domain/config-copies.ts';
import { DrError } from '../../domain/errors.ts';
import { isSecretRef, type Secret, type SecretRef } from '../../domain/secret.ts';
import { run } from '../process/run.ts';

/**
 * A remote as rclone is told of it: by environment variables of that one process, so that no secret is in a process
 * list or in a file.
 */

export interface Remote {
  /** As the configuration calls it. */
  readonly name: string;
  /** What rclone calls it, with the path: `copy:bucket/folder`. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** Kept out of every error. */
  readonly secrets: readonly Secret[];
}

/** rclone's name of a remote that is described here: only its environment knows it. */
const INLINE = 'TYKDR';

/** @throws DrError SECRET_MISSING, TOOL_MISSING, COPY_UNUSABLE for a type that rclone does not have. */
export async function openRemote(
  copy: CopyConfig,
  secret: (reference: SecretRef) => Promise<Secret>,
): Promise<Remote> {
  const env: Record<string, string> = {
    ...certificates(),
    // A writer that may only put objects into an existing bucket must not be asked to look for it or make it.
    RCLONE_S3_NO_CHECK_BUCKET: 'true',
    // Of an object in one part the server itself says the MD5; of one in several it repeats what it was told.
    RCLONE_S3_UPLOAD_CUTOFF: '5G',
    ...(copy.rcloneConfig === undefined ? {} : { RCLONE_CONFIG: copy.rcloneConfig }),
  };
  if (typeof copy.remote === 'string') return { name: copy.name, root: copy.remote, env, secrets: [] };
  const { type, path, options } = copy.remote;
  const variable = (option: string): string => `RCLONE_CONFIG_${INLINE}_${option.toUpperCase()}`;
  const secrets: Secret[] = [];
  const obscured = await obscuredOptions(copy.name, type);
  env[variable('type')] = type;
  for (const [option, value] of Object.entries(options)) {
    if (typeof value !== 'string' || !isSecretRef(value)) {
      env[variable(option)] = String(value);
      continue;
    }
    const resolved = await secret(value);
    secrets.push(resolved);
    env[variable(option)] = obscured.has(option)
      ? (
          await run(['rclone', 'obscure', '-'], { input: resolved.reveal(), secrets: [resolved] })
        ).stdout.trim()
      : oneLine(option, resolved.reveal());
  }
  return { name: copy.name, root: `${INLINE}:${path}`, env, secrets };
}

/** How a copy is shown to people. */
export function remoteText({ remote }: CopyConfig): string {
  return typeof remote === 'string' ? remote : `${remote.type} ${remote.path}`;
}

/** rclone takes passwords only as `rclone obscure` writes them; which options those are, it says itself. */
async function obscuredOptions(copy: string, type: string): Promise<ReadonlySet<string>> {
  providers ??= askProviders().catch((error: unknown) => {
    providers = undefined;
    throw error;
  });
  const provider = (await providers).find(({ Name, Prefix }) => type === Name || type === Prefix);
  if (!provider)
    throw new DrError('COPY_UNUSABLE', { copy, reason: `rclone has no remotes of type '${type}'` });
  return new Set(provider.Options.filter(({ IsPassword }) => IsPassword).map(({ Name }) => Name));
}

interface Provider {
  readonly Name: string;
  readonly Prefix: string;
  readonly Options: readonly { readonly Name: string; readonly IsPassword: boolean }[];
}

/** Asked once: it does not change while we run, and every minute's shipping of WAL would ask again. */
let providers: Promise<readonly Provider[]> | undefined;

async function askProviders(): Promise<readonly Provider[]> {
  const { stdout } = await run(['rclone', 'config', 'providers']);
  return JSON.parse(stdout) as Provider[];
}

/** rclone wants a key in one line, with `\n` written out. */
function oneLine(option: string, value: string): string {
  return option === 'key_pem' ? value.trimEnd().replaceAll('\n', '\\n') : value;
}

/** rclone refuses to start where this variable of Amazon's tools is set; its own does the same. */
function certificates(): Record<string, string> {
  const bundle = process.env['AWS_CA_BUNDLE'];
  if (bundle === undefined || bundle === '') return {};
  return { AWS_CA_BUNDLE: '', RCLONE_CA_CERT: process.env['RCLONE_CA_CERT'] ?? bundle };
}
