import { chmod, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { execa } from 'execa';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { registerConfig } from '../../../cli/config.ts';
import type { CommitResult } from '../../../domain/backup.ts';
import type { Json } from '../../../domain/json.ts';
import { newSigningKey, backupStepOf, stepOf } from '../../harness/deployment.ts';
import { loadConfig } from '../../../adapters/config/load.ts';
import { wire } from '../../../worker/wire.ts';
import { callActivity, type ChildEnd } from '../../harness/activity.ts';
import {
  attest,
  configScene,
  makeConfigSet,
  writeFiles,
  type ConfigScene,
} from '../../harness/config-set.ts';

/** Sets under version control: readable, tagged when they are verified, and without a single secret. */

let scene: ConfigScene;
beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-git-'));
  scene = await configScene(dir, { author: 'Ops <ops@example.org>' });
  await writeFile(join(dir, 'keys', 'unused'), `${SECRET.gateway}\n`);
});
afterAll(() => rm(scene.dir, { recursive: true, force: true }));

const [FIRST, LATE, SECOND, THIRD] = [1, 2, 3, 4].map((day) => `2026010${day}T000000Z-0001`) as [
  string,
  string,
  string,
  string,
];

const SECRET = {
  gateway: 'gateway-secret-0123456789',
  redis: 'redis-password-9876543210',
  smtp: 'smtp-Passw0rd-of-the-relay',
  hmac: 'hmac-key-of-a-jwt-source-1',
  header: 'upstream-token-42-42-42',
};
const KEY = newSigningKey().reveal();
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const api = (id: string, name: string, more: Record<string, Json> = {}): Json => ({
  api_definition: { api_id: id, name, slug: name.toLowerCase(), proxy: { listen_path: `/${id}/` }, ...more },
});

const APIS = [
  api('a1', 'Orders', { jwt_source: base64(SECRET.hmac), global_headers: { Authorization: SECRET.header } }),
  api('a2', 'Payments', { custom_middleware: { code: base64(`key = "${SECRET.smtp}"`) } }),
];
const POLICIES = [{ _id: 'p1', id: 'p1', name: 'Gold', rate: 10 }];

const tree = (port: number, password = SECRET.redis): Record<string, string | Buffer | Json> => ({
  'tyk.conf': {
    storage: { port, password },
    secret: SECRET.gateway,
    node_secret: SECRET.gateway,
    smtp: { password: SECRET.smtp },
  },
  'certs/gateway.pem': KEY,
  'middleware/audit.js': `var mail = connect("smtp://relay", "${SECRET.smtp}");\n`,
  'middleware/odd\n"name".txt': 'text\n',
  'portal/logo.png': Buffer.from([0x89, 0x50, 0, 0xff, port & 0xff]),
});

/** Committed, and not merely survived. */
async function committed(set: string): Promise<string> {
  const { summary, warning } = await commit(set);
  expect(warning).toBeUndefined();
  return summary;
}

async function commit(set: string): Promise<CommitResult> {
  const input = backupStepOf(scene, 'commit-config', set);
  const { result, error } = await callActivity({
    configFile: scene.configFile,
    activity: 'commit-config',
    input,
  });
  if (!result) throw new Error(error?.message);
  return result;
}

const git = async (...args: string[]): Promise<string> =>
  (await execa('git', ['--git-dir', scene.git, ...args])).stdout;

const lines = async (...args: string[]): Promise<string[]> =>
  (await git(...args)).split('\n').filter(Boolean);

test('a set that is not verified yet is committed, one file a definition, and waits for its tag', async () => {
  await writeFiles(scene.gateway, tree(6379));
  await chmod(join(scene.gateway, 'middleware/audit.js'), 0o755);
  await symlink('logo.png', join(scene.gateway, 'portal/current.png'));
  await makeConfigSet(scene, FIRST, { apis: APIS, policies: POLICIES });
  expect(await committed(FIRST)).toContain('not tagged');
  expect(await lines('ls-tree', '-r', '-z', '--name-only', 'main')).toEqual(
    [
      [
        ...['acme/apis/orders-a1.json', 'acme/apis/payments-a2.json', 'acme/files.json'],
        ...['acme/gateway-gw1/middleware/audit.js', 'acme/gateway-gw1/middleware/odd\n"name".txt'],
        ...[
          'acme/gateway-gw1/portal/current.png',
          'acme/gateway-gw1/tyk.conf',
          'acme/policies/gold-p1.json',
          '',
        ],
      ].join('\0'),
    ].flatMap((text) => text.split('\n')),
  );
  expect(await git('ls-tree', 'main', 'acme/gateway-gw1/middleware/audit.js')).toMatch(/^100755 /);
  expect(await git('ls-tree', 'main', 'acme/gateway-gw1/portal/current.png')).toMatch(/^120000 /);
  const conf = JSON.parse(await git('show', 'main:acme/gateway-gw1/tyk.conf')) as Record<string, Json>;
  expect(Object.keys(conf)).toEqual(['node_secret', 'secret', 'smtp', 'storage']);
  expect(conf['storage']).toMatchObject({ port: 6379 });
  expect(conf['secret']).toMatch(/^\$\{tyk-dr:secrets\.\w+#[0-9a-f]{10}\}$/);
  const index = JSON.parse(await git('show', 'main:acme/files.json')) as Record<string, Record<string, Json>>;
  expect(index['gateway-gw1']).toMatchObject({
    'certs/gateway.pem': { withheld: 'private key' },
    'portal/logo.png': { withheld: 'binary', bytes: 5 },
    'middleware/audit.js': { mode: '0755' },
  });
  expect(await lines('tag')).toEqual([]);
  const message = await git('log', '-1', '--format=%an <%ae>%n%B', 'main');
  for (const word of [
    'Ops <ops@example.org>',
    'Orders',
    'Gold',
    `Tyk-Dr-Set: ${FIRST}`,
    'Tyk-Dr-Run: bak-test',
  ])
    expect(message).toContain(word);
});

test('asked again it does nothing more; verified, it gets its tag', async () => {
  const before = await git('rev-parse', 'main');
  expect(await committed(FIRST)).toContain('committed already');
  await attest(scene, FIRST);
  // What a kill may leave must not be in the way.
  const copy = join(scene.deployment.sites['dr']!.stateDir, 'config.git');
  await writeFile(join(copy, 'HEAD.lock'), '');
  await writeFile(join(copy, 'packed-refs.lock'), '');
  await committed(FIRST);
  expect(await git('rev-parse', 'main')).toBe(before);
  expect(await lines('tag')).toEqual([`set/${FIRST}`]);
  expect(await git('rev-parse', `set/${FIRST}^{commit}`)).toBe(before);
});

test('what changed is in the message, by name and field; a changed secret is seen and not shown', async () => {
  await writeFiles(scene.gateway, tree(6380, 'another-redis-password-1'));
  const apis = [
    api('a1', 'Orders v2', {
      jwt_source: base64(SECRET.hmac),
      global_headers: { Authorization: SECRET.header },
    }),
    api('a3', 'Refunds'),
  ];
  await makeConfigSet(scene, SECOND, { apis, policies: POLICIES });
  await attest(scene, SECOND);
  await committed(SECOND);
  const message = await git('log', '-1', '--format=%B', 'main');
  expect(message.split('\n')[0]).toBe('acme: 1 API added, 1 removed, 1 changed; 2 files changed');
  expect(message).toMatch(/\+ Refunds \(a3\)/);
  expect(message).toMatch(/- Payments \(a2\)/);
  expect(message).toMatch(/api_definition\.name: "Orders" -> "Orders v2"/);
  expect(message).toMatch(/storage\.port: 6379 -> 6380/);
  expect(message).toMatch(/storage\.password: "\[secret (\w+)\]" -> "\[secret (?!\1)\w+\]"/);
  expect(message).toMatch(/~ portal\/logo\.png\n\s+sha256: /);
});

test('a set that says nothing new makes no commit, and its tag marks the one that says it all', async () => {
  const before = await git('rev-parse', 'main');
  await makeConfigSet(scene, THIRD, {
    apis: [
      api('a3', 'Refunds'),
      api('a1', 'Orders v2', {
        global_headers: { Authorization: SECRET.header },
        jwt_source: base64(SECRET.hmac),
      }),
    ],
    policies: POLICIES,
  });
  await attest(scene, THIRD);
  expect(await committed(THIRD)).toContain('nothing changed');
  expect(await git('rev-parse', 'main', `set/${THIRD}^{commit}`)).toBe(`${before}\n${before}`);
});

test('a set that comes late is tagged beside the branch, which keeps saying what newer sets say', async () => {
  const before = await git('rev-parse', 'main');
  await writeFiles(scene.gateway, tree(7000));
  await makeConfigSet(scene, LATE, { apis: APIS, policies: POLICIES });
  await attest(scene, LATE);
  await committed(LATE);
  expect(await git('rev-parse', 'main')).toBe(before);
  expect(await git('rev-parse', `set/${LATE}~1`)).toBe(await git('rev-parse', `set/${FIRST}^{commit}`));
});

interface Diff {
  readonly source: string;
  readonly same: boolean;
  readonly changes: readonly { component: string; name: string; change: string; fields?: Json }[];
}

/** `config diff --json`, with its exit code. */
async function diff(old: string, now: string): Promise<{ answer: Diff; text: string; exitCode: unknown }> {
  const text = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const program = new Command().exitOverride();
    registerConfig(program, () => scene.configFile);
    await program.parseAsync(['config', 'diff', old, now, '--json'], { from: 'user' });
    const written = text.mock.calls.map(([chunk]) => String(chunk)).join('');
    return { answer: JSON.parse(written) as Diff, text: written, exitCode: process.exitCode };
  } finally {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  }
}

test('config diff tells what changed, from git as from the sets themselves', async () => {
  const git = await diff(FIRST, SECOND);
  expect(git.exitCode).toBe(3);
  expect(git.answer.source).toBe('git');
  const told = git.answer.changes.map(({ component, name, change }) => `${component} ${name} ${change}`);
  expect(told).toEqual([
    ...['apis Orders v2 changed', 'apis Payments removed', 'apis Refunds added'],
    ...['gateway-gw1 portal/logo.png changed', 'gateway-gw1 tyk.conf changed'],
  ]);
  expect(git.answer.changes.at(-1)!.fields).toContainEqual({
    path: 'storage.port',
    old: '6379',
    new: '6380',
  });
  const same = await diff(SECOND, THIRD);
  expect([same.answer.changes, same.exitCode]).toEqual([[], undefined]);

  await execa('git', ['--git-dir', scene.git, 'tag', '--delete', `set/${FIRST}`]);
  const sets = await diff(FIRST, SECOND);
  expect(sets.answer.source).toBe('sets');
  expect(sets.answer.changes).toEqual(git.answer.changes);
  for (const secret of Object.values(SECRET)) expect(git.text + sets.text).not.toContain(secret);
  await commit(FIRST);
});

test('no secret of the deployment is in any object of the repository', async () => {
  const { stdout } = await execa('git', [
    '--git-dir',
    scene.git,
    'cat-file',
    '--batch',
    '--batch-all-objects',
    '--buffer',
  ]);
  expect(stdout).toContain('gateway-gw1');
  const keyLine = KEY.split('\n')[1]!;
  for (const secret of [...Object.values(SECRET), 'another-redis-password-1', keyLine])
    for (const form of [secret, base64(secret), encodeURIComponent(secret)])
      expect(stdout).not.toContain(form);
});

async function resolveRef(ref: string): Promise<string> {
  const { activities } = wire(await loadConfig(scene.configFile), 'dr', 'test');
  return activities['resolve-config-ref']('acme', 'dr', ref);
}

/** Steps of a recovery in place, with the set that was made last. */
async function step(activity: string, commit: string, run: string): Promise<ChildEnd> {
  const call = stepOf(scene, { run, step: activity, set: SECOND, epoch: Date.now() });
  const plan = { ...call.plan, from: 'dr', inPlace: true, configRef: { ref: 'the ref', commit } };
  return callActivity({ configFile: scene.configFile, activity, input: { ...call, plan } });
}

const restoredFile = (name: string): Promise<string> => readFile(join(scene.gateway, name), 'utf8');

test('recover --config-ref: the tree is as it was at that commit, with its secrets; what git does not hold is the set’s', async () => {
  const resolved = await resolveRef(FIRST);
  expect(resolved).toEqual(await git('rev-parse', `set/${FIRST}^{commit}`));
  await writeFiles(scene.gateway, {
    ...tree(6380, 'another-redis-password-1'),
    'middleware/later.js': 'new',
  });
  await rm(join(scene.gateway, 'portal'), { recursive: true });
  expect(await step('check-target', resolved, 'rec-1')).toMatchObject({ killed: false, result: {} });
  const { result, error } = await step('restore-gateway-config', resolved, 'rec-1');
  expect(error).toBeUndefined();
  expect(result?.summary).toContain(`from git the ref (${resolved.slice(0, 10)})`);
  const conf = JSON.parse(await restoredFile('tyk.conf')) as { storage: Json; smtp: Json; secret: Json };
  // The password of that time is in no set any more that this run knows: it is the one of the set.
  expect(conf.storage).toEqual({ port: 6379, password: 'another-redis-password-1' });
  expect([conf.smtp, conf.secret]).toEqual([{ password: SECRET.smtp }, SECRET.gateway]);
  expect(await restoredFile('middleware/audit.js')).toBe(tree(1)['middleware/audit.js']);
  expect((await stat(join(scene.gateway, 'middleware/audit.js'))).mode & 0o777).toBe(0o755);
  await expect(restoredFile('middleware/later.js')).rejects.toThrow('ENOENT');
  expect(await restoredFile('certs/gateway.pem')).toBe(KEY);
  expect(await readlink(join(scene.gateway, 'portal/current.png'))).toBe('logo.png');
});

/** What somebody with a work tree of the repository pushes. */
async function pushed(name: string, change: string): Promise<string> {
  const work = join(scene.dir, name);
  await execa('git', ['clone', '--quiet', '--branch', 'main', scene.git, work]);
  await execa('sh', ['-ec', change], { cwd: join(work, 'acme/gateway-gw1') });
  const commitAll = ['-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '--quiet', '-am', name];
  await execa('sh', ['-ec', 'git add -A'], { cwd: work });
  await execa('git', commitAll, { cwd: work });
  await execa('git', ['push', '--quiet', 'origin', `HEAD:refs/heads/${name}`], { cwd: work });
  return resolveRef(name);
}

test.each([
  ['lacks', 'git rm --quiet tyk.conf', 'CONFIG_REF_LACKS'],
  [
    'asks',
    `echo '{"x": "\${tyk-dr:backup.signingKey#0123456789}"}' > middleware/steal.js`,
    'CONFIG_REF_SECRET',
  ],
  ['leaves', 'ln -s ../../../etc middleware/out', 'UNSAFE_ARCHIVE'],
])('a commit that %s what it must (not) is refused before anything changes', async (name, change, code) => {
  const commit = await pushed(name, change);
  const before = await restoredFile('tyk.conf');
  expect((await step('check-target', commit, 'rec-2')).error?.code).toBe(code);
  expect(await restoredFile('tyk.conf')).toBe(before);
});

test('a reference that means nothing is refused', async () => {
  await expect(resolveRef('set/none')).rejects.toMatchObject({ type: 'CONFIG_REF_UNKNOWN' });
  await expect(resolveRef('--all')).rejects.toMatchObject({ type: 'CONFIG_REF_UNKNOWN' });
});

test('a git that fails leaves the set sound, and is a warning', async () => {
  await rm(scene.git, { recursive: true });
  await writeFile(scene.git, 'in the way');
  const { summary, warning } = await commit(SECOND);
  expect(summary).toBe('not committed');
  expect(warning).toContain('not committed to git');
  await rm(scene.git);
});

test('a repository with a work tree follows, and one at an address is pushed to', async () => {
  await execa('git', ['init', '--quiet', '--initial-branch', 'main', scene.git]);
  await committed(SECOND);
  const inside = async (...args: string[]): Promise<string> =>
    (await execa('git', ['-C', scene.git, ...args])).stdout;
  expect(await inside('status', '--porcelain')).toBe('');
  expect(await inside('ls-files')).toContain('acme/gateway-gw1/tyk.conf');
});
