import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { parse, stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keepPlan, keepRun } from '../../../adapters/backup/runs.ts';
import { exportPack, type ExportDeps } from '../../../adapters/evidence/export.ts';
import { packFacts, writeBundle } from '../../../adapters/evidence/bundle.ts';
import { bundleTexts } from '../../../report/auditor-bundle.ts';
import { openPack } from '../../../adapters/evidence/pack.ts';
import { readTar, writeTar } from '../../../adapters/evidence/tar.ts';
import { configDigest, planDigest } from '../../../adapters/config/digest.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import { resolveSecret } from '../../../adapters/config/secrets.ts';
import type { Deployment } from '../../../domain/config.ts';
import type { KeptPack } from '../../../domain/evidence.ts';
import type { RunRecord } from '../../../domain/run.ts';
import { callActivity } from '../../harness/activity.ts';
import { EVIDENCE_TEXTS } from '../../../report/evidence.ts';
import { signSet, writeDeployment, type TestDeployment } from '../../harness/deployment.ts';
import { recoverInput } from '../../harness/recover-input.ts';
import { runRecord } from '../../harness/run-record.ts';

/** Packs in a real repository: what is in them, that no secret is, and the commands of docs/evidence.md on them. */

const SET = '20261124T031500Z-1f2e';
const newTrusted = (): string =>
  `ed25519:${generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('base64')}`;
/** Marked, so that any trace of one is found; each stands where a secret may come from. */
const PLANTED = {
  env: 'MARK-env-7hT9q2Zx',
  file: 'MARK-file-k3Lw8RvB',
  command: 'MARK-command-pQ5nX1dY',
  config: 'MARK-config-wZ6mJ4sE',
  option: 'MARK-option-aB9vC3gH',
  url: 'MARK-url-rT2yU8iO',
  tool: 'MARK-tool-fG7hJ5kL',
  quoted: `MARK-quoted-"<&'9x`,
};

let scene: TestDeployment;
let deployment: Deployment;
const deps: ExportDeps = { version: 'test', render: EVIDENCE_TEXTS, secret: (ref) => resolveSecret(ref) };

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-evidence-'));
  scene = await writeDeployment(dir, {});
  process.env['EVIDENCE_TEST_SECRET'] = PLANTED.env;
  await writeFile(join(dir, 'keys', 'planted'), `${PLANTED.file}\n`, { mode: 0o600 });
  await writeFile(join(dir, 'keys', 'quoted'), `${PLANTED.quoted}\n`, { mode: 0o600 });
  const config = parse(await readFile(scene.configFile, 'utf8')) as {
    deployments: { acme: Record<string, unknown> & { sites: Record<string, Record<string, unknown>> } };
  };
  const { acme } = config.deployments;
  acme['secrets'] = {
    gateway: 'env:EVIDENCE_TEST_SECRET',
    node: `file:${join(dir, 'keys', 'planted')}`,
    admin: `command:["echo","${PLANTED.command}"]`,
    certificate: `file:${join(dir, 'keys', 'quoted')}`,
  };
  acme['probes'] = [{ name: 'billing', path: `/billing?api_key=${PLANTED.url}` }];
  acme.sites['dr']!['provision'] = ['sh', '-c', `mount -o user=${PLANTED.config} /x`];
  (acme['backup'] as Record<string, unknown>)['copies'] = [
    { name: 'far', remote: { type: 's3', path: 'x', options: { account: PLANTED.option } } },
  ];
  await writeFile(scene.configFile, stringify(config));
  deployment = (await loadConfig(scene.configFile)).deployments['acme']!;
  await signSet(scene, { set: SET });
});
afterAll(async () => {
  delete process.env['EVIDENCE_TEST_SECRET'];
  await rm(scene.dir, { recursive: true });
});

/** A run of the scene, its record and its plan kept. */
async function keptRun(number: number, changes: Partial<RunRecord> = {}): Promise<RunRecord> {
  const { plan } = recoverInput();
  const run = `rec-20261124-03150${number}-1f2e`;
  const set = { set: SET, site: 'primary', createdAt: '', verified: false, bytes: 1, versions: {} };
  const digests = { configDigest: configDigest(deployment), planDigest: planDigest(plan) };
  const record = runRecord({ run, set, outcome: 'RECOVERED', ...digests, ...changes });
  await keepPlan(deployment.backup, run, plan);
  await keepRun(deployment.backup, record);
  return record;
}

const NO_HISTORY = { why: 'the Temporal server does not have this run any more' };

async function exported(number: number): Promise<string> {
  return (await exportPack(deployment, await keptRun(number), NO_HISTORY, deps)).file;
}

const membersOf = async (file: string): Promise<Map<string, string>> =>
  new Map(readTar(await readFile(file)).map(({ name, data }) => [name, data.toString()]));

describe('a pack', () => {
  test('holds the run with plan, configuration, manifest; says what it lacks; and no planted secret', async () => {
    const all = Object.values(PLANTED).join(' and ');
    const signed = {
      text: 'tyk-dr approval, format 1\n',
      signature: '-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----',
      key: 'SHA256:x',
    };
    const approval = {
      step: 'switch-traffic',
      actor: 'ann',
      reason: 'yes',
      at: '',
      identity: 'proven',
      signed,
    };
    const record = await keptRun(1, {
      reason: `somebody pasted ${all}`,
      exceptions: [`prove-apis: password=${PLANTED.tool}`],
      approvals: [approval as NonNullable<RunRecord['approvals']>[number]],
    });
    const history = {
      json: JSON.stringify({
        events: [{ said: all, password: PLANTED.tool }, Buffer.from(PLANTED.env).toString('base64')],
      }),
    };
    const pack = await exportPack(deployment, record, history, deps);
    const members = await membersOf(pack.file);
    for (const name of [
      'record.json',
      'report.txt',
      'report.html',
      'history.json',
      'plan.json',
      'config.json',
    ])
      expect([...members.keys()]).toContain(name);
    for (const name of [
      'logs/run.log',
      'approvals/1-switch-traffic.txt.sig',
      `sets/${SET}/manifest.json.sig`,
    ])
      expect([...members.keys()]).toContain(name);
    expect(members.get('approvals/1-switch-traffic.txt')).toBe(signed.text);
    expect(pack.absent).toContain(`sets/${SET}/verified.json: it is not in the repository`);
    expect(members.get('CONTENTS.txt')).toContain('verified.json: it is not in the repository');
    // Where secrets lie is no secret.
    expect(members.get('config.json')).toContain('env:EVIDENCE_TEST_SECRET');
    expect(members.get('record.json')).toContain('somebody pasted');
    const bytes = (await readFile(pack.file)).toString('latin1');
    for (const [where, secret] of Object.entries(PLANTED)) {
      // What is known to nobody by its form or its place is nobody's secret: the option and the word of a command
      // stand in the configuration only.
      if (where === 'option' || where === 'config') {
        expect(members.get('config.json'), where).not.toContain(secret);
        continue;
      }
      for (const form of [
        secret,
        encodeURIComponent(secret),
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      ])
        expect(bytes.includes(form), `${where}: ${form}`).toBe(false);
      const [mark] = /MARK-\w+/.exec(secret)!;
      expect(bytes.includes(mark), mark).toBe(false);
    }
  });

  test('is not made where a signed file holds a secret: it cannot be altered', async () => {
    const set = '20261124T041500Z-1f2e';
    await signSet(scene, { set, versions: { redis: PLANTED.file } });
    const record = await keptRun(2, {
      set: { set, site: 'primary', createdAt: '', verified: false, bytes: 1, versions: {} },
    });
    await expect(exportPack(deployment, record, NO_HISTORY, deps)).rejects.toMatchObject({
      code: 'EVIDENCE_HOLDS_SECRET',
    });
  });

  test('of a run that has not ended is refused', async () => {
    const { outcome: _, ...running } = runRecord({ outcome: 'RECOVERED' });
    await expect(exportPack(deployment, running, NO_HISTORY, deps)).rejects.toMatchObject({
      code: 'EVIDENCE_UNFINISHED',
    });
  });
});

test('five exports at the same time stand behind one another: none is lost, none doubled', async () => {
  const records = await Promise.all(Array.from({ length: 5 }, (_, at) => keptRun(at)));
  const packs = await Promise.all(records.map((record) => exportPack(deployment, record, NO_HISTORY, deps)));
  const sequences = packs.map(({ sequence }) => sequence).sort((a, b) => a - b);
  expect(new Set(sequences).size).toBe(5);
  expect(
    await byTykDr(
      packs.sort((a, b) => a.sequence - b.sequence).map(({ file }) => file),
      sequences[0]!,
    ),
  ).toBe(0);
});

test('behind a pack that was changed, or is gone from the end, no other is put', async () => {
  const file = await exported(3);
  const whole = await readFile(file);
  const changed = Buffer.from(whole);
  changed[whole.length - 2000]! ^= 1;
  await writeFile(file, changed);
  await expect(exported(4)).rejects.toMatchObject({ code: 'EVIDENCE_DAMAGED' });
  await rm(file);
  await expect(exported(4)).rejects.toThrow(/is missing, and was the newest/);
  await writeFile(file, whole);
  await expect(exported(4)).resolves.toContain('acme-');
});

/** Through the program, with public keys alone and no configuration. */
async function byTykDr(files: readonly string[], first: number): Promise<number> {
  const program = join(import.meta.dirname, '../../../bin/tyk-dr.js');
  const result = await execa(
    process.execPath,
    [program, 'evidence', 'verify', ...files, '--key', scene.keys.trusted, '--first', String(first)],
    { reject: false, cwd: tmpdir(), env: { TYK_DR_CONFIG: '/nowhere' } },
  );
  return result.exitCode ?? -1;
}

describe('the commands of docs/evidence.md', () => {
  let script: string;
  let chain: { folder: string; files: string[] };
  let at = 0;

  beforeAll(async () => {
    const text = await readFile(join(import.meta.dirname, '../../../docs/evidence.md'), 'utf8');
    script = /```bash\n(# The public key[\s\S]*?)```/.exec(text)![1]!;
    const own = { ...deployment, backup: { ...deployment.backup, repository: join(scene.dir, 'other') } };
    await mkdir(own.backup.repository);
    const files = [];
    for (const number of [1, 2, 3]) {
      const record = await keptRun(number, { set: undefined as never });
      files.push((await exportPack(own, record, NO_HISTORY, deps)).file);
    }
    chain = { folder: join(scene.dir, 'other'), files };
  });

  async function typed(files: readonly string[]): Promise<{ exitCode: number; stdout: string }> {
    const cwd = join(scene.dir, `auditor-${(at += 1)}`);
    await mkdir(cwd);
    const { exitCode = -1, stdout } = await execa('bash', ['-c', script], {
      ...{ cwd, reject: false, extendEnv: false },
      env: { PATH: process.env['PATH']!, KEY: scene.keys.trusted, PACKS: files.join(' ') },
    });
    return { exitCode, stdout };
  }

  /** A pack with other members than were signed. */
  async function altered(
    file: string,
    change: (members: ReturnType<typeof readTar>) => ReturnType<typeof readTar>,
  ) {
    const out = join(scene.dir, `altered-${(at += 1)}.tar`);
    await writeFile(out, writeTar(change(readTar(await readFile(file))), 0));
    return out;
  }

  test('say that a chain is whole, and print the digest that was printed at the export', async () => {
    const { exitCode, stdout } = await typed(chain.files);
    expect(stdout).toBe(`newest digest: ${openPack(await readFile(chain.files[2]!), []).digest}`);
    expect(exitCode).toBe(0);
  });

  test('find what was changed, added, removed, reordered, or signed by another', async () => {
    const [first, second, third] = chain.files as [string, string, string];
    const changed = await altered(second, (members) =>
      members.map((each) => (each.name === 'record.json' ? { ...each, data: Buffer.from('{}') } : each)),
    );
    const added = await altered(second, (members) => [
      ...members,
      { name: 'praise', data: Buffer.from('!') },
    ]);
    const removed = await altered(second, (members) => members.filter(({ name }) => name !== 'record.json'));
    const told = async (files: readonly string[]): Promise<string> => {
      const { exitCode, stdout } = await typed(files);
      expect(exitCode, stdout).toBe(1);
      return stdout;
    };
    expect(await told([first, changed, third])).toContain('record.json: FAILED');
    expect(await told([first, added, third])).toContain('> praise');
    expect(await told([first, removed, third])).toContain('record.json: No such file');
    expect(await told([first, third])).toContain('does not follow the pack before');
    expect(await told([first, third, second])).toContain('it is not pack 2');
    const signature = await altered(second, (members) =>
      members.map((each) => (each.name === 'INDEX.sig' ? { ...each, data: Buffer.alloc(64) } : each)),
    );
    expect(await told([first, signature, third])).toContain('INDEX was not signed by this key');
  });

  test('and tyk-dr finds the same, with nothing but the packs and a public key', async () => {
    expect(await byTykDr(chain.files, 1)).toBe(0);
    expect(await byTykDr([chain.files[0]!, chain.files[2]!], 1)).toBe(12);
  });
});

describe('an auditor’s bundle', () => {
  const bundle = (): string => join(scene.dir, 'bundle');
  const verify = async (
    cwd: string,
    key = scene.keys.trusted,
  ): Promise<{ exitCode: number; stdout: string }> => {
    const { exitCode = -1, stdout } = await execa('sh', [join(cwd, 'verify.sh')], {
      ...{ cwd: '/', reject: false, extendEnv: false, env: { PATH: process.env['PATH']!, KEY: key } },
    });
    return { exitCode, stdout };
  };

  test('holds all packs to be read only, and verifies without us; any other key, changed or missing pack is found', async () => {
    const own = { ...deployment.backup, repository: join(scene.dir, 'bundled') };
    await mkdir(own.repository);
    for (const number of [11, 12]) {
      const record = await keptRun(number, { set: undefined as never });
      await exportPack({ ...deployment, backup: own }, record, NO_HISTORY, deps);
    }
    const packs = await packFacts(own, 'acme');
    const facts = { deployment: 'acme', madeAt: '2026-01-01T00:00:00.000Z', keys: own.trustedKeys, packs };
    await writeBundle(own, 'acme', bundle(), bundleTexts({ ...facts, findings: [] }));
    const script = await stat(join(bundle(), 'verify.sh'));
    expect(script.mode & 0o222).toBe(0);
    const controls = await readFile(join(bundle(), 'controls.md'), 'utf8');
    expect(controls).toMatch(/\| ISO 22301:2019, 8\.6 .*\| (1, 2|none) \|/);
    expect(controls).toContain('Business continuity plan');
    expect(await verify(bundle())).toEqual({
      exitCode: 0,
      stdout: `2 packs; newest digest: ${packs[1]!.digest}`,
    });
    expect((await verify(bundle(), newTrusted())).stdout).toContain('was not signed by any of these keys');
    await expect(writeBundle(own, 'acme', bundle(), {})).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    const second = join(bundle(), 'packs', packs[1]!.file);
    const bytes = await readFile(second);
    bytes[bytes.indexOf('"outcome"')]! ^= 1;
    await chmod(second, 0o644);
    await writeFile(second, bytes);
    expect(await verify(bundle())).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining('FAILED') as string,
    });
    await rm(join(bundle(), 'packs', packs[0]!.file));
    expect((await verify(bundle())).stdout).toContain('it is not pack 1');
  });
});

test('a worker that has the key makes the pack of a run by its id alone, and says what Temporal did not give', async () => {
  const record = await keptRun(5);
  const before = process.env['TEMPORAL_ADDRESS'];
  process.env['TEMPORAL_ADDRESS'] = '127.0.0.1:1';
  try {
    const call = { configFile: scene.configFile, activity: 'export-evidence' };
    const { result, error } = await callActivity({ ...call, input: 'acme' as never, more: [record.run] });
    expect(error).toBeUndefined();
    const pack = result as unknown as KeptPack;
    expect(pack.absent.join()).toContain('history.json: Temporal does not answer');
    expect((await membersOf(pack.file)).get('record.json')).toContain(record.run);
    const none = await callActivity({ ...call, input: 'acme' as never, more: ['rec-none'] });
    expect(none.error?.code).toBe('UNKNOWN_RUN');
  } finally {
    if (before === undefined) delete process.env['TEMPORAL_ADDRESS'];
    else process.env['TEMPORAL_ADDRESS'] = before;
  }
});
