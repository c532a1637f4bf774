import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { newSetId, readManifest, writeAttestation } from '../../adapters/backup/repository.ts';
import { sealStream } from '../../adapters/backup/seal.ts';
import { configDigest } from '../../adapters/config/digest.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { runbookFolder, writeRunbook } from '../../adapters/runbook/write.ts';
import type { ExamineInput, Finding, HostReport } from '../../domain/doctor.ts';
import { judge } from '../../domain/judge.ts';
import type { HostFigures } from '../../domain/figures.ts';
import { wire } from '../../worker/wire.ts';
import {
  ageIdentity,
  newSigningKey,
  signSet,
  writeDeployment,
  type TestDeployment,
} from '../harness/deployment.ts';

/** Faults are planted into a sound deployment of two sites: each is found, by its name and with its severity. */

const SITES = ['primary', 'dr'];
const RPO_MS = 300_000;
const SHARED = 'a-secret-that-everybody-shares';
const DAY_MS = 86_400_000;
const RUNNING = { start: ['true'], stop: ['true'], status: ['true'] };
const STOPPED = { start: ['true'], stop: ['true'], status: ['sh', '-c', 'exit 3'] };

/** Self-signed, CN=gw, valid on the first of January 2020. */
const EXPIRED_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIHAMHQCAQEwBQYDK2VwMA0xCzAJBgNVBAMMAmd3MB4XDTIwMDEwMTAwMDAwMFoX
DTIwMDEwMjAwMDAwMFowDTELMAkGA1UEAwwCZ3cwKjAFBgMrZXADIQCMD3E+33ZT
0X3F1dkhcupPfk3Z4GgJu1B++bbtcrAJhzAFBgMrZXADQQDyH1MtsNXremBb0AbP
CUCmbUxyxo9+fTMYONTBdj7FeMkx1cjQE8AWMC8hFS6FrhC+1FRQRF+FSqf5Snl2
vkQH
-----END CERTIFICATE-----
`;

interface Loose {
  readonly sites: Record<string, Record<string, object> & { gateways: Record<string, unknown>[] }>;
  readonly secrets: Record<string, string>;
}

let dir: string;
let scene: TestDeployment;
beforeEach(async () => {
  dir = await mkdtemp('/var/tmp/tyk-dr-test-');
  scene = await writeDeployment(dir, {});
  await edit(({ sites, secrets }) => {
    for (const [name, site] of Object.entries(sites)) {
      const port = (at: number): number => at + SITES.indexOf(name);
      site['redis'] = {
        ...{ port: port(11), dataDir: join(dir, name, 'redis'), binary: 'redis-server' },
        service: name === 'primary' ? RUNNING : STOPPED,
      };
      site['dashboard'] = {
        ...{ url: `http://127.0.0.1:${port(13)}`, root: join(dir, name, 'dashboard') },
        ...{ config: 'tyk_analytics.conf', accessKey: secrets['gateway'], service: RUNNING },
        version: ['echo', 'v5.3.8'],
      };
      site.gateways[0]!['version'] = ['echo', 'v5.3.8'];
    }
  });
  await writeFile(join(dir, 'keys', 'unused'), SHARED, { mode: 0o600 });
  for (const site of SITES) {
    await mkdir(join(dir, site, 'redis'), { recursive: true });
    await conf(site, 'dashboard/tyk_analytics.conf', {
      license_key: licence(Date.now() + 365 * DAY_MS),
      hash_keys: true,
      shared_node_secret: SHARED,
      tyk_api_config: { Secret: SHARED },
    });
    await conf(site, 'gw1/tyk.conf', { hash_keys: true, secret: SHARED, node_secret: SHARED });
  }
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function edit(change: (deployment: Loose) => void): Promise<void> {
  const config = parse(await readFile(scene.configFile, 'utf8')) as { deployments: { acme: Loose } };
  change(config.deployments.acme);
  await writeFile(scene.configFile, stringify(config, { aliasDuplicateObjects: false }), { mode: 0o600 });
}

async function conf(site: string, file: string, fields: object): Promise<void> {
  const path = join(dir, site, file);
  await mkdir(dirname(path), { recursive: true });
  const before = await readFile(path, 'utf8').catch(() => '{}');
  await writeFile(path, JSON.stringify({ ...(JSON.parse(before) as object), ...fields }));
}

function licence(expiresAtMs: number): string {
  const claims = JSON.stringify({ exp: Math.floor(expiresAtMs / 1000) });
  return `x.${Buffer.from(claims).toString('base64url')}.x`;
}

/** A set with one real object, signed and attested. */
async function verifiedSet(takenAt: Date): Promise<void> {
  const set = newSetId(takenAt);
  const file = 'redis.zst.age';
  const folder = join(scene.deployment.backup.repository, 'acme', set);
  await mkdir(folder, { recursive: true });
  const sealed = await sealStream(Readable.from(['an RDB']), join(folder, file), scene.keys.recipients);
  const at = takenAt.toISOString();
  const facts = { version: '7.0.15', rdbVersion: 10, takenAt: at, keys: 1, expires: 0, prefixes: {} };
  const versions = { gateway: 'v5.3.8' };
  await signSet(scene, {
    set,
    createdAt: at,
    redis: facts,
    versions,
    objects: [{ name: 'redis', file, ...sealed }],
  });
  const { sha256 } = await readManifest(scene.deployment.backup, 'acme', set);
  const proof = { format: 'tyk-dr/attestation/v1', set, manifestSha256: sha256, verifiedAt: at } as const;
  await writeAttestation(scene.deployment.backup, 'acme', proof, scene.keys.signing);
}

/** As a backup leaves it, with only what the doctor looks at. */
async function exportedRunbook(writtenAt: string, digest?: string): Promise<void> {
  const { backup } = scene.deployment;
  const configuration = (await loadConfig(scene.configFile)).deployments['acme']!;
  const facts = { deployment: 'acme', writtenAt, configDigest: digest ?? configDigest(configuration) };
  await writeRunbook(
    runbookFolder(backup, 'acme'),
    { files: { 'runbook.html': 'the page' }, byHand: {} },
    facts,
    scene.keys.signing,
  );
}

type Examine = (input: ExamineInput) => Promise<HostReport>;
type Measure = (...names: string[]) => Promise<HostFigures>;

/** As the workflow does it, without Temporal between. */
async function examine(): Promise<Finding[]> {
  const config = await loadConfig(scene.configFile);
  const answers = await Promise.all(
    SITES.map(async (site) => {
      const { activities } = wire(config, site, 'test');
      const environment = new MockActivityEnvironment(
        { currentAttemptScheduledTimestampMs: Date.now() },
        { logger: new DefaultLogger('ERROR') },
      );
      const measure: Measure = (deployment, of) => activities['measure-host'](deployment, of);
      const nonce = 'of this test';
      const input = { deployment: 'acme', site, nonce };
      return {
        report: await environment.run<[ExamineInput], HostReport, Examine>(activities['examine-host'], input),
        figures: await environment.run<string[], HostFigures, Measure>(measure, 'acme', site),
      };
    }),
  );
  expect(JSON.stringify(answers), 'what goes into a history').not.toContain(SHARED);
  const reports = answers.map(({ report }) => report);
  return judge({ reports, figures: answers.map(({ figures }) => figures), silent: [] }, SITES, RPO_MS);
}

/** One line for each finding of a check that is not well. */
function told(findings: readonly Finding[], id: string): string {
  return findings
    .filter((finding) => finding.id === id && finding.severity !== 'ok')
    .map(({ severity, where, message }) => `${severity} ${where}: ${message}`)
    .join('\n');
}

test('a sound deployment has nothing wrong but the servers that this test does not run', async () => {
  await verifiedSet(new Date());
  await exportedRunbook(new Date().toISOString());
  const findings = await examine();
  const wrong = findings.filter(({ severity, id }) => severity !== 'ok' && id !== 'stores');
  expect(wrong).toEqual([]);
  expect(findings.map(({ id }) => id)).toEqual(
    expect.arrayContaining([
      'serving',
      'tools',
      'decryption',
      'secret-set',
      'key-copies',
      'freshness',
      'licence',
    ]),
  );
  expect(told(findings, 'stores')).toMatch(/^error primary: Redis: Redis at 127.0.0.1:11 does not answer/m);
});

test('what is wrong on hosts and between them is found, each with its severity', async () => {
  await verifiedSet(new Date('2020-01-01T00:00:00Z'));
  await writeFile(join(dir, 'expired.pem'), EXPIRED_CERTIFICATE);
  await chmod(join(dir, 'keys', 'age'), 0o640);
  await conf('dr', 'gw1/tyk.conf', {
    ...{ node_secret: 'another-secret', hash_keys: false },
    http_server_options: { use_ssl: true, certificates: [{ cert_file: join(dir, 'expired.pem') }] },
  });
  await conf('primary', 'dashboard/tyk_analytics.conf', { license_key: licence(Date.now() + 5.5 * DAY_MS) });
  await conf('dr', 'dashboard/tyk_analytics.conf', { license_key: licence(Date.now() - DAY_MS) });
  await mkdir(join(dir, 'dr', 'state'), { recursive: true });
  await writeFile(join(dir, 'dr', 'state', 'fenced'), 'rec-1\n');
  await edit(({ sites }) => {
    Object.assign(sites['dr']!['redis']!, { binary: 'no-such-redis-server' });
    sites['dr']!.gateways[0]!['version'] = ['echo', 'v5.2.9'];
    delete sites['primary']!.gateways[0]!['version'];
  });
  const findings = await examine();
  const lines = (id: string): string => told(findings, id);
  expect(lines('key-files')).toMatch(/^error primary: backup.identity: .*\/age has mode 640; expected 600$/m);
  expect(lines('secret-set')).toMatch(
    /^error deployment: node_secret differs: tyk-dr.yaml of primary, .* have one; another have gateway gw1 of dr$/m,
  );
  expect(lines('secret-set')).toMatch(/^error deployment: hash_keys differs: /m);
  expect(lines('certificates')).toMatch(/^error dr: gateway gw1: .*expired.pem expired at 2020-01-02/m);
  expect(lines('licence')).toMatch(/^warning primary: .*, in 5 days$/m);
  expect(lines('licence')).toMatch(/^error dr: the licence of the Dashboard expired at /m);
  expect(lines('serving')).toBe('warning dr: the site was given up by rec-1: nothing of it may start');
  expect(lines('tools')).toMatch(/^error dr: no-such-redis-server is not installed/m);
  expect(lines('versions')).toMatch(/^error dr: gateway gw1 is 5.2.9, older than v5.3.8 of set 20200101/m);
  expect(lines('versions')).toMatch(/^warning primary: gateway gw1: the installed version is not measured$/m);
  expect(lines('freshness')).toMatch(
    /^error deployment: redis: exposure .* out of bounds \(verified set 2020/m,
  );
  expect(lines('freshness')).toMatch(/^error deployment: config: .* out of bounds \(changed at .*, after /m);
  for (const finding of findings)
    if (finding.severity !== 'ok') expect(finding.hint).toMatch(/^[A-Za-z].*\.$/);
});

test('a runbook for a lost Temporal that is missing, old, of another configuration, or changed', async () => {
  const lines = async (): Promise<string> => told(await examine(), 'runbook');
  expect(await lines()).toMatch(/^warning primary: there is no exported runbook in .*\/runbook/m);
  await exportedRunbook('2019-01-01T00:00:00.000Z');
  expect(await lines()).toBe('');
  await verifiedSet(new Date('2020-01-01T00:00:00Z'));
  expect(await lines()).toMatch(/^warning primary: .* is older than the set 20200101T000000Z/m);
  await exportedRunbook('2019-01-01T00:00:00.000Z', '0'.repeat(64));
  expect(await lines()).toMatch(/^warning dr: that of 2019-01-01.* was written for another configuration/m);
  await writeFile(join(runbookFolder(scene.deployment.backup, 'acme'), 'runbook.html'), 'another page');
  expect(await lines()).toMatch(/^warning dr: there is no exported runbook/m);
});

test('keys that open nothing, that nobody trusts, or that only the lost site has', async () => {
  await verifiedSet(new Date());
  const other = await ageIdentity();
  await writeFile(join(dir, 'keys', 'other'), other.identity.reveal(), { mode: 0o600 });
  await writeFile(join(dir, 'keys', 'signing'), newSigningKey().reveal(), { mode: 0o600 });
  await edit(({ sites }) => Object.assign(sites['dr']!['redis']!, { service: RUNNING }));
  const both = await examine();
  expect(told(both, 'serving')).toBe('error deployment: more than one site runs its stores: primary, dr');
  expect(told(both, 'keys')).toMatch(/^error \w+: backup.signingKey is that of ed25519:\S+, which is none/m);
  await edit((deployment) => {
    Object.assign(deployment.sites['dr']!['redis']!, { service: STOPPED });
    Object.assign((deployment as unknown as { backup: object }).backup, {
      identity: `file:${join(dir, 'keys', 'other')}`,
    });
  });
  const foreign = await examine();
  expect(told(foreign, 'keys')).toMatch(/^error \w+: backup.identity is that of age1\w+, which is none of/m);
  expect(told(foreign, 'decryption')).toMatch(/^error \w+: the age identity .* does not open backup set/m);
  await mkdir(join(dir, 'dr', 'state'), { recursive: true });
  await writeFile(join(dir, 'dr', 'state', 'age'), scene.keys.operational.reveal(), { mode: 0o600 });
  await edit((deployment) =>
    Object.assign((deployment as unknown as { backup: object }).backup, {
      identity: `file:${join(dir, 'dr', 'state', 'age')}`,
    }),
  );
  expect(told(await examine(), 'key-copies')).toMatch(
    /^error primary: backup identity: no site but primary has a copy outside its own folders$/m,
  );
});

test('a standby whose files are not those of the site that it follows: by field and folder, without a value', async () => {
  await verifiedSet(new Date());
  await edit((deployment) => {
    Object.assign(deployment, { strategy: 'pilot-light', replication: {} });
    for (const { gateways } of Object.values(deployment.sites))
      Object.assign(gateways[0]!, { include: ['middleware'] });
  });
  for (const [index, site] of SITES.entries()) {
    const root = join(dir, site, 'gw1');
    await conf(site, 'gw1/tyk.conf', {
      ...{ listen_port: 2 - index, app_path: join(root, 'apps'), enable_jsvm: true },
      storage: { type: 'redis', host: '127.0.0.1', port: 11 + index },
    });
    await mkdir(join(root, 'middleware'));
    await writeFile(join(root, 'middleware', 'auth.js'), 'the same');
  }
  const lines = async (): Promise<string> => told(await examine(), 'drift');
  const nobody = await examine();
  expect(told(nobody, 'drift')).toBe('');
  expect(told(nobody, 'replication')).toBe('error primary: nobody follows primary');
  await mkdir(join(dir, 'dr', 'state'), { recursive: true });
  const mark = { of: 'primary', run: 'rep-1', at: new Date().toISOString() };
  await writeFile(join(dir, 'dr', 'state', 'standby.json'), JSON.stringify(mark));
  expect(await lines()).toBe('');
  await conf('primary', 'gw1/tyk.conf', { enable_jsvm: false });
  await writeFile(join(dir, 'primary', 'gw1', 'middleware', 'new.js'), 'more');
  expect(await lines()).toBe(
    'warning dr: gateway gw1 differs from gateway gw1 of primary in tyk.conf: enable_jsvm, middleware',
  );
});
