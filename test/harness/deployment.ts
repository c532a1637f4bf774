import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { writeManifest } from '../../adapters/backup/repository.ts';
import { publicKeyOf } from '../../adapters/backup/signing.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { shapeOf } from '../../runbooks/shape-of.ts';
import type { Deployment, PostgresConfig } from '../../domain/config.ts';
import { MANIFEST_FORMAT, type Manifest } from '../../domain/manifest.ts';
import type { BackupStepInput } from '../../domain/backup.ts';
import type { RecoveryPoint, StepInput } from '../../domain/plan.ts';
import { Secret } from '../../domain/secret.ts';
import { compilePlan } from '../../runbooks/plan.ts';
import { REQUEST } from './shape.ts';

/** An ordinary tyk-dr.yaml with real keys, of a deployment that has only the stores that a test looks at. */

export interface Keyring {
  readonly recipients: readonly string[];
  readonly operational: Secret;
  readonly offline: Secret;
  readonly signing: Secret;
  readonly trusted: string;
}

export async function makeKeyring(): Promise<Keyring> {
  const [operational, offline] = await Promise.all([ageIdentity(), ageIdentity()]);
  const signing = newSigningKey();
  return {
    recipients: [operational.recipient, offline.recipient],
    operational: operational.identity,
    offline: offline.identity,
    signing,
    trusted: publicKeyOf(signing),
  };
}

export function newSigningKey(): Secret {
  return new Secret(
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
}

export async function ageIdentity(): Promise<{ identity: Secret; recipient: string }> {
  const { stdout } = await execa('age-keygen');
  const recipient = /# public key: (age1\w+)/.exec(stdout)![1]!;
  return { identity: new Secret(stdout.trim()), recipient };
}

export interface TestDeployment {
  readonly dir: string;
  readonly configFile: string;
  readonly keys: Keyring;
  readonly deployment: Deployment;
}

export interface Stores {
  /** The database of site dr; the primary's is the same one with other folders. */
  readonly database?: PostgresConfig;
  /** Of the Dashboard's user and of the administrator; without them nobody connects by a password. */
  readonly passwords?: { readonly user: Secret; readonly admin: Secret };
  readonly pgbackrest?: { readonly repository: string; readonly stanza: string; readonly passphrase: Secret };
  /** In its place, a MongoDB. */
  readonly mongodb?: { readonly port: number } & Readonly<Record<string, unknown>>;
  /** The Redis of site dr. */
  /** What stands under backup.copies. */
  readonly copies?: readonly unknown[];
  readonly redis?: Readonly<Record<string, unknown>>;
  /** The Redis of the primary, where a test looks at both. */
  readonly primaryRedis?: Readonly<Record<string, unknown>>;
  /** What else stands in the deployment: its strategy, a beacon. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Nothing is started or stopped by these tests' configurations: a command that always says 'stopped'. */
const STOPPED = { start: ['true'], stop: ['true'], status: ['sh', '-c', 'exit 3'] };

export async function writeDeployment(dir: string, stores: Stores): Promise<TestDeployment> {
  const keys = await makeKeyring();
  await mkdir(join(dir, 'keys'), { recursive: true });
  const secret = async (name: string, value: Secret): Promise<string> => {
    await writeFile(join(dir, 'keys', name), `${value.reveal()}\n`, { mode: 0o600 });
    return `file:${join(dir, 'keys', name)}`;
  };
  const unused = await secret('unused', new Secret('unused'));
  const site = async (name: 'primary' | 'dr'): Promise<unknown> => ({
    worker: name,
    stateDir: join(dir, name, 'state'),
    gateways: [
      {
        ...{ name: 'gw1', root: join(dir, name, 'gw1'), config: 'tyk.conf', service: STOPPED },
        url: `http://127.0.0.1:${name === 'dr' ? 1 : 2}`,
      },
    ],
    ...(stores.database
      ? {
          database: storeOf(dir, name, {
            ...stores.database,
            password: stores.passwords ? await secret('user', stores.passwords.user) : unused,
            admin: {
              user: stores.database.admin.user,
              ...(stores.passwords ? { password: await secret('admin', stores.passwords.admin) } : {}),
            },
          }),
        }
      : {}),
    ...(stores.mongodb ? { database: storeOf(dir, name, stores.mongodb) } : {}),
    ...(stores.redis ? { redis: redisOf(dir, name, stores) } : {}),
  });
  const { pgbackrest } = stores;
  const configFile = join(dir, 'tyk-dr.yaml');
  const config = {
    version: 'tyk-dr/v1',
    deployments: {
      acme: {
        tier: 'critical',
        organisation: 'org',
        secrets: { gateway: unused, node: unused },
        backup: {
          repository: join(dir, 'sets'),
          recipients: keys.recipients,
          identity: await secret('age', keys.operational),
          signingKey: await secret('signing', keys.signing),
          trustedKeys: [keys.trusted],
          copies: stores.copies ?? [],
          ...(pgbackrest
            ? { pgbackrest: { ...pgbackrest, passphrase: await secret('pgbackrest', pgbackrest.passphrase) } }
            : {}),
        },
        sites: { primary: await site('primary'), dr: await site('dr') },
        ...stores.more,
      },
    },
  };
  await writeFile(configFile, stringify(config), { mode: 0o600 });
  const deployment = (await loadConfig(configFile)).deployments['acme']!;
  return { dir, configFile, keys, deployment };
}

function redisOf(dir: string, site: 'primary' | 'dr', { redis, primaryRedis }: Stores): unknown {
  if (site === 'dr' || primaryRedis === undefined) return storeOf(dir, site, redis!);
  return { service: STOPPED, ...primaryRedis };
}

/** Both sites have the same components; that of the primary is looked at only where a test says so. */
function storeOf(dir: string, site: 'primary' | 'dr', store: Readonly<Record<string, unknown>>): unknown {
  // A managed database has neither folders nor a service.
  if (store['method'] === 'dump') return { ...store, port: Number(store['port']) + (site === 'dr' ? 0 : 1) };
  if (site === 'dr') return { service: STOPPED, ...store };
  const folder = (name: string): string => join(dir, 'primary', name);
  const kind = 'pgbackrest' in store ? 'database' : 'redis';
  const own = { port: Number(store['port']) + 1, dataDir: folder(`${kind}-data`), service: STOPPED };
  if (!('pgbackrest' in store)) return { ...store, ...own };
  const [configFile, lockPath, spoolPath, logPath] = ['conf', 'lock', 'spool', 'log'].map(folder);
  return { ...store, ...own, pgbackrest: { configFile, lockPath, spoolPath, logPath } };
}

/** Writes a signed manifest of what a test has made. */
export async function signSet(
  { deployment, keys }: TestDeployment,
  parts: Pick<Manifest, 'set'> & Partial<Manifest>,
  signing = keys.signing,
): Promise<Manifest> {
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    deployment: 'acme',
    site: 'primary',
    createdAt: new Date().toISOString(),
    tool: { name: 'tyk-dr', version: 'test' },
    recipients: keys.recipients,
    objects: [],
    versions: {},
    ...parts,
  };
  await mkdir(join(deployment.backup.repository, manifest.deployment, manifest.set), { recursive: true });
  await writeManifest(deployment.backup, manifest, signing);
  return manifest;
}

/** The input of one step of one run that recovers the deployment on dr. */
export function stepOf(
  { deployment }: TestDeployment,
  call: {
    run: string;
    step: string;
    set: string;
    point?: RecoveryPoint;
    epoch?: number;
    /** Rebuilt by a person's own word. */
    component?: 'redis';
  },
): StepInput {
  const plan = {
    ...compilePlan(shapeOf('acme', deployment), REQUEST),
    ...(call.component ? { component: call.component } : {}),
  };
  return {
    run: call.run,
    step: call.step,
    set: call.set,
    plan: { ...plan, point: call.point ?? plan.point },
    configDigest: configDigest(deployment),
    epoch: call.epoch ?? 1,
    basisAt: new Date().toISOString(),
    notAfter: '2999-01-01T00:00:00.000Z',
  };
}

/** The input of one step of a backup. */
export function backupStepOf(
  { deployment }: TestDeployment,
  step: string,
  set: string,
  site = 'dr',
): BackupStepInput {
  return {
    run: 'bak-test',
    step,
    set,
    deployment: 'acme',
    site,
    configDigest: configDigest(deployment),
    full: true,
    notAfter: '2999-01-01T00:00:00.000Z',
  };
}
