import { spawn, type ChildProcess } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { registerReview } from '../../../cli/review.ts';
import { signByAgent, signText } from '../../../adapters/ssh/signature.ts';
import { approvalText, type ApprovalArgs, type SignedApproval } from '../../../domain/approvals.ts';
import { callActivity, type ChildEnd } from '../../harness/activity.ts';
import { eventually } from '../../harness/gateway.ts';
import { stepOf, writeDeployment, type TestDeployment } from '../../harness/deployment.ts';
import { loadConfig } from '../../../adapters/config/load.ts';

/** Signed approvals, with keys and an agent as people have them, checked by the worker's own activity. */

let scene: TestDeployment;
let agent: ChildProcess;
const keyOf = (name: string): string => join(scene.dir, name);

async function newKey(name: string, passphrase = ''): Promise<string> {
  await execa('ssh-keygen', [
    '-q',
    '-t',
    'ed25519',
    '-N',
    passphrase,
    '-C',
    `${name}@desk`,
    '-f',
    keyOf(name),
  ]);
  return (await readFile(`${keyOf(name)}.pub`, 'utf8')).trim();
}

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tyk-dr-signatures-'));
  scene = await writeDeployment(dir, {});
  const [ann, bob] = [await newKey('ann'), await newKey('bob', 'a passphrase')];
  await newKey('mallory');
  const config = parse(await readFile(scene.configFile, 'utf8')) as { deployments: { acme: object } };
  Object.assign(config.deployments.acme, {
    approvals: [{ step: 'switch-traffic', roles: ['commander'] }],
    approvers: [
      { name: 'ann', roles: ['commander'], key: ann },
      { name: 'bob', roles: ['auditor'], key: bob },
    ],
  });
  await writeFile(scene.configFile, stringify(config));
  scene = { ...scene, deployment: (await loadConfig(scene.configFile)).deployments['acme']! };
  await mkdir(join(dir, 'askpass'));
  const socket = join(dir, 'agent');
  agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  await eventually(() => access(socket));
  process.env['SSH_AUTH_SOCK'] = socket;
});
afterAll(async () => {
  agent.kill();
  await rm(scene.dir, { recursive: true });
});

const BOUND: Omit<SignedApproval, 'signature'> = {
  run: 'rec-1',
  step: 'switch-traffic',
  plan: 'a'.repeat(64),
  actor: 'ann',
  at: '2026-11-24T03:15:00.000Z',
  reason: 'the proofs have passed; “go”',
};

async function check(args: ApprovalArgs, roles: readonly string[] = []): Promise<ChildEnd> {
  return callActivity({
    configFile: scene.configFile,
    activity: 'check-approval',
    input: stepOf(scene, { run: 'rec-1', step: 'check-approval', set: '20261124T031500Z-1f2e' }),
    more: [args, roles],
  });
}

const sign = (bound: Omit<SignedApproval, 'signature'> = BOUND, key = keyOf('ann')): Promise<string> =>
  signText(approvalText(bound), key);

test('a signature by the key of the approver counts, and anybody can verify it without us', async () => {
  const signature = await sign();
  const { result } = await check({ ...BOUND, signature }, ['commander']);
  expect(result).toMatchObject({ identity: 'proven', key: expect.stringMatching(/^SHA256:/) as string });
  const { stdout: listed } = await execa('ssh-keygen', ['-l', '-f', `${keyOf('ann')}.pub`]);
  expect(listed).toContain((result as unknown as { key: string }).key);
  // The commands of docs/steering.md.
  const publicKey = (await readFile(`${keyOf('ann')}.pub`, 'utf8')).trim();
  await writeFile(keyOf('signers'), `ann ${publicKey}\n`);
  await writeFile(keyOf('approval.sig'), signature);
  const { stdout } = await execa(
    'ssh-keygen',
    ['-Y', 'verify', '-f', keyOf('signers'), '-I', 'ann', '-n', 'tyk-dr', '-s', keyOf('approval.sig')],
    { input: approvalText(BOUND) },
  );
  expect(stdout).toMatch(/^Good "tyk-dr" signature for ann/);
});

test('a form that has swallowed the line breaks does no harm', async () => {
  const flat = (await sign()).trim().replaceAll('\n', ' ');
  expect((await check({ ...BOUND, signature: flat })).result).toMatchObject({ identity: 'proven' });
});

describe('does not count', () => {
  const refusal = async (args: ApprovalArgs, roles?: readonly string[]): Promise<string> => {
    const { error } = await check(args, roles);
    expect(error?.code).toBe('APPROVAL_REFUSED');
    return error!.message;
  };

  test('one over anything else: another run, step, plan, reason, time or name', async () => {
    const signature = await sign();
    for (const other of [
      { run: 'rec-2' },
      { step: 'fence-source' },
      { plan: 'b'.repeat(64) },
      { reason: 'something else' },
      { at: '2026-11-24T03:15:00.001Z' },
    ])
      expect(await refusal({ ...BOUND, ...other, signature }), JSON.stringify(other)).toContain(
        'the signature does not match',
      );
  });

  test('one by another key: a stranger’s, or that of another approver', async () => {
    expect(await refusal({ ...BOUND, signature: await sign(BOUND, keyOf('mallory')) })).toMatch(
      /it was signed by the key SHA256:\S+, which is not that of ann \(SHA256:\S+\)$/,
    );
    const signature = await sign();
    expect(await refusal({ ...BOUND, actor: 'bob', signature })).toContain('which is not that of bob');
  });

  test('one made for another purpose, of the same text by the same key', async () => {
    await writeFile(keyOf('text'), approvalText(BOUND));
    await execa('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'git', '-f', keyOf('ann'), keyOf('text')]);
    const signature = await readFile(`${keyOf('text')}.sig`, 'utf8');
    expect(await refusal({ ...BOUND, signature })).toContain('the signature does not match');
  });

  test('one from the future, one that is damaged, one that is none', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    expect(await refusal({ ...BOUND, at, signature: await sign({ ...BOUND, at }) })).toContain(
      'in the future',
    );
    const signature = await sign();
    const [head, ...body] = signature.trim().split('\n');
    const last = body.at(-2)!;
    const swapped = `${last.startsWith('A') ? 'B' : 'A'}${last.slice(1)}`;
    expect(
      await refusal({ ...BOUND, signature: [head, ...body.slice(0, -2), swapped, body.at(-1)].join('\n') }),
    ).toContain('does not match');
    const none = '-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----';
    expect(await refusal({ ...BOUND, signature: none })).toContain('it is not an SSH signature');
  });

  test('a name without a signature, one that is not listed, one without the role', async () => {
    expect(await refusal({ actor: 'ann', step: 'switch-traffic', reason: 'x' })).toContain(
      'it is not signed',
    );
    const signature = await sign({ ...BOUND, actor: 'mallory' }, keyOf('mallory'));
    expect(await refusal({ ...BOUND, actor: 'mallory', signature })).toContain('not listed under approvers');
    expect(await refusal({ ...BOUND, actor: 'bob' }, ['commander'])).toContain('has not the role commander');
  });
});

test('an agent signs, also with a key that is kept under a passphrase', async () => {
  const askpass = join(scene.dir, 'askpass', 'answer');
  await writeFile(askpass, '#!/bin/sh\necho a passphrase\n', { mode: 0o755 });
  const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' };
  await execa('ssh-add', ['-q', keyOf('bob')], { env });
  const bound = { ...BOUND, actor: 'bob' };
  const signature = await signByAgent(approvalText(bound), scene.deployment.approvers![1]!.key!);
  expect((await check({ ...bound, signature })).result).toMatchObject({ identity: 'proven' });
  // Not the agent, but ssh-keygen itself asks for the passphrase of a file.
  Object.assign(process.env, env);
  const byFile = await sign(bound, keyOf('bob'));
  delete process.env['SSH_ASKPASS'];
  delete process.env['SSH_ASKPASS_REQUIRE'];
  expect((await check({ ...bound, signature: byFile })).result).toMatchObject({ identity: 'proven' });
  await expect(signByAgent('x', scene.deployment.approvers![0]!.key!)).rejects.toMatchObject({
    code: 'TOOL_FAILED',
  });
});

describe('the sign-off of a review', () => {
  const said: string[] = [];
  async function review(...words: string[]): Promise<string> {
    const program = new Command();
    program.exitOverride();
    registerReview(program, () => scene.configFile);
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    try {
      await program.parseAsync(['node', 'tyk-dr', 'review', ...words]);
    } finally {
      write.mockRestore();
    }
    return said.at(-1)!;
  }
  const sign = (actor: string, ...more: string[]): Promise<string> =>
    review('sign', 'acme', '--quarter', '2026-Q4', '--role', 'head of risk', '--actor', actor, ...more);
  const shown = async (): Promise<string> => {
    const out = join(scene.dir, 'review');
    await review('run', 'acme', '--quarter', '2026-Q4', '--out', out);
    return readFile(join(out, '2026-Q4.md'), 'utf8');
  };

  test('is proven by the key of the approver, asserted of others, and refused by a foreign key', async () => {
    await mkdir(scene.deployment.backup.repository, { recursive: true });
    expect(await sign('ann', '--key', keyOf('ann'))).toContain(
      'signed by ann, head of risk, with their SSH key',
    );
    expect(await sign('carol')).toContain('(a name, not proven)');
    await expect(sign('ann', '--key', keyOf('mallory'))).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    await expect(sign('carol', '--key', keyOf('mallory'))).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    const text = await shown();
    expect(text).toMatch(/\| ann \| head of risk \| proven, signed with SHA256:/);
    expect(text).toMatch(/\| carol \| head of risk \| asserted, not proven/);
  });

  test('counts no more where anybody has changed what was signed', async () => {
    const folder = join(scene.deployment.backup.repository, 'acme', 'journal');
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), 'utf8');
      if (text.includes('"signature"'))
        await writeFile(join(folder, name), text.replace('head of risk', 'head of all'));
    }
    expect(await shown()).toMatch(/\| ann \| head of all \| REFUSED: the signature does not match/);
  });
});
