import { createHmac } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { publicKeyOf } from '../../adapters/backup/signing.ts';
import { run } from '../../adapters/process/run.ts';
import { doubtful, fine, wrong, type Finding, type Fingerprint, type KeyName } from '../../domain/doctor.ts';
import { clusterIfOurs } from '../../domain/cluster.ts';
import { DrError } from '../../domain/errors.ts';
import type { Secret, SecretRef } from '../../domain/secret.ts';
import type { JsonObject } from '../../domain/tyk-conf.ts';
import { certificateSecret } from '../conf-file.ts';
import { gatewaysOn, serves } from '../site.ts';
import { tykConfs, type Host } from './host.ts';

/** Secrets and keys: there, readable to the right user only, and one consistent set. Values never leave the host. */

interface Reference {
  readonly label: string;
  readonly reference: SecretRef;
  /** Opens or signs backups. */
  readonly key: boolean;
}

/** Everything that a backup or a recovery would ask this host for. */
function referencesOf({ worker, site, deployment }: Host): Reference[] {
  const { backup, secrets, probes, analytics, traffic, replication } = deployment;
  const leads = serves(worker, site, traffic);
  const own = <T extends { worker?: string | undefined }>(component: T | undefined): T | undefined =>
    component && serves(worker, site, component) ? component : undefined;
  const database = own(site.database);
  const proves = gatewaysOn(worker, site).length > 0;
  const all: [string, SecretRef | undefined, boolean?][] = [
    ['backup.identity', backup.identity, true],
    ['backup.signingKey', database || own(site.redis) ? backup.signingKey : undefined, true],
    ['backup.pgbackrest.passphrase', database && backup.pgbackrest?.passphrase, true],
    ['redis.password', own(site.redis)?.password],
    ['redis.sentinel.password', own(site.redis)?.sentinel?.password],
    ['database.password', database?.password],
    ['database.admin.password', database?.kind === 'postgresql' ? database.admin.password : undefined],
    ['replication.database.password', database && replication?.database?.password],
    ['dashboard.accessKey', site.dashboard?.accessKey],
    ['secrets.gateway', secrets.gateway],
    ['secrets.node', secrets.node],
    ['secrets.admin', secrets.admin],
    ['secrets.certificate', secrets.certificate],
    ...(proves ? probes : []).map(({ name, key }): [string, SecretRef | undefined] => [
      `probe '${name}'`,
      key,
    ]),
    ['analytics.key', proves ? analytics?.key : undefined],
    ['traffic.key.secret', leads && traffic?.kind === 'dns' ? traffic.key.secret : undefined, true],
  ];
  return all.flatMap(([label, reference, key]) =>
    reference === undefined ? [] : [{ label, reference, key: key ?? false }],
  );
}

export async function checkSecrets(host: Host): Promise<Finding[]> {
  const references = referencesOf(host);
  const problems = await Promise.all(
    references.map(async ({ label, reference }) => {
      try {
        await host.secret(reference);
        return [];
      } catch (error) {
        if (!(error instanceof DrError)) throw error;
        return [wrong('secrets', host.where, `${label}: ${error.message}`)];
      }
    }),
  );
  const found = problems.flat();
  return found.length > 0 ? found : [fine('secrets', host.where, `${references.length} secrets can be read`)];
}

/** Mode bits of group and others. */
const OTHERS = 0o077;

export async function checkKeyFiles(host: Host): Promise<Finding[]> {
  const files = new Map<string, Reference>();
  for (const each of referencesOf(host)) {
    const file = fileOf(each.reference);
    if (file !== undefined && (each.key || !files.has(file))) files.set(file, each);
  }
  const found: Finding[] = [];
  const look = async (file: string, label: string, key: boolean): Promise<void> => {
    const mode = (await stat(file).catch(() => undefined))?.mode ?? 0;
    if ((mode & OTHERS) === 0) return;
    const message = `${label}: ${file} has mode ${(mode & 0o777).toString(8)}; expected 600`;
    found.push(key ? wrong('key-files', host.where, message) : doubtful('key-files', host.where, message));
  };
  for (const [file, { label, key }] of files) await look(file, label, key);
  const cluster = clusterIfOurs(host.site);
  if (cluster && serves(host.worker, host.site, cluster))
    await look(cluster.pgbackrest.configFile, 'the passphrase in pgbackrest.configFile', true);
  return found.length > 0 ? found : [fine('key-files', host.where, 'readable to their owner only')];
}

export async function checkKeys(host: Host): Promise<Finding[]> {
  const { identity, signingKey, recipients, trustedKeys } = host.deployment.backup;
  const found: Finding[] = [];
  const secret = (reference: SecretRef): Promise<Secret | undefined> =>
    host.secret(reference).catch(() => undefined);
  const recipient = await recipientOf(host);
  if (recipient !== undefined && !recipients.includes(recipient))
    found.push(
      wrong('keys', host.where, `backup.identity is that of ${recipient}, which is none of the recipients`),
    );
  const signing = referencesOf(host).some(({ reference }) => reference === signingKey)
    ? await secret(signingKey)
    : undefined;
  if (signing) {
    const known = publicKey(signing);
    if (known === undefined)
      found.push(wrong('keys', host.where, 'backup.signingKey is no Ed25519 key in PEM'));
    else if (!trustedKeys.includes(known))
      found.push(
        wrong('keys', host.where, `backup.signingKey is that of ${known}, which is none of the trustedKeys`),
      );
  }
  if ((await secret(identity)) && recipient === undefined)
    found.push(wrong('keys', host.where, 'backup.identity is no age identity'));
  return found.length > 0
    ? found
    : [fine('keys', host.where, 'identity and signing key are those of the sets')];
}

function publicKey(signing: Secret): string | undefined {
  try {
    return publicKeyOf(signing);
  } catch {
    return undefined;
  }
}

/** The public half of the configured age identity; undefined where there is no identity to read. */
export async function recipientOf(host: Host): Promise<string | undefined> {
  try {
    const identity = await host.secret(host.deployment.backup.identity);
    const { stdout } = await run(['age-keygen', '-y'], {
      input: `${identity.reveal()}\n`,
      secrets: [identity],
    });
    return stdout.trim().split('\n')[0];
  } catch (error) {
    if (error instanceof DrError) return undefined;
    throw error;
  }
}

/** The keys that would still be there if the site lost its data. */
export async function keptKeys(host: Host): Promise<KeyName[]> {
  const { backup } = host.deployment;
  const references: readonly [KeyName, SecretRef | undefined][] = [
    ['identity', backup.identity],
    ['signingKey', backup.signingKey],
    ['passphrase', backup.pgbackrest?.passphrase],
  ];
  const kept: KeyName[] = [];
  for (const [name, reference] of references) {
    if (reference === undefined || liesAt(host, reference)) continue;
    if (
      await host.secret(reference).then(
        () => true,
        () => false,
      )
    )
      kept.push(name);
  }
  return kept;
}

function liesAt({ site }: Host, reference: SecretRef): boolean {
  const file = fileOf(reference);
  if (file === undefined) return false;
  const folders = [
    ...[site.stateDir, site.redis?.dataDir, site.database?.dataDir, site.dashboard?.root, site.pump?.root],
    ...site.gateways.map(({ root }) => root),
  ];
  return folders.some((folder) => folder !== undefined && file.startsWith(`${folder.replace(/\/+$/, '')}/`));
}

function fileOf(reference: SecretRef): string | undefined {
  return reference.startsWith('file:') ? reference.slice('file:'.length) : undefined;
}

/**
 * What tells whether secrets agree, without them: keyed with the age identity, so that whoever reads a history cannot
 * try out values, and with the nonce of this one run.
 */
export async function fingerprintsOf(host: Host): Promise<Fingerprint[]> {
  const key = await keyedBy(host);
  if (key === undefined) return [];
  const { secrets } = host.deployment;
  const found: Fingerprint[] = [];
  const add = (field: string, place: string, value: unknown): void => {
    if (typeof value !== 'string' || value === '') return;
    const digest = createHmac('sha256', key).update(`${host.nonce}\0${value}`).digest('hex').slice(0, 32);
    found.push({ field, place: `${place} of ${host.where}`, digest });
  };
  const declared = async (field: string, reference: SecretRef | undefined): Promise<void> => {
    const value = reference && (await host.secret(reference).catch(() => undefined));
    add(field, 'tyk-dr.yaml', value?.reveal());
  };
  await declared('secret', secrets.gateway);
  await declared('node_secret', secrets.node);
  await declared('admin_secret', secrets.admin);
  await declared('private_certificate_encoding_secret', secrets.certificate);
  for (const { name, component, conf } of await tykConfs(host)) {
    if (!conf) continue;
    if (component === 'gateway') {
      add('secret', name, conf['secret']);
      add('node_secret', name, conf['node_secret']);
    } else {
      add('secret', name, ((conf['tyk_api_config'] ?? {}) as JsonObject)['Secret']);
      add('node_secret', name, conf['shared_node_secret']);
      add('admin_secret', name, conf['admin_secret']);
    }
    add('private_certificate_encoding_secret', name, certificateSecret(conf));
    found.push({
      field: 'hash_keys',
      place: `${name} of ${host.where}`,
      digest: String(conf['hash_keys'] ?? false),
    });
  }
  return found;
}

/** With what digests of this host are keyed; undefined where its identity cannot be read. */
export async function keyedBy(host: Host): Promise<string | undefined> {
  const identity = await host.secret(host.deployment.backup.identity).catch(() => undefined);
  return identity && secretLine(identity);
}

/** Comments in the file of an identity may differ from host to host. */
function secretLine(identity: Secret): string {
  const text = identity.reveal();
  return text.split('\n').find((line) => line.startsWith('AGE-SECRET-KEY-')) ?? text;
}
