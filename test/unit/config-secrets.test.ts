import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { resolveSecret } from '../../adapters/config/secrets.ts';
import { DrError } from '../../domain/errors.ts';
import { isSecretRef, type SecretRef } from '../../domain/secret.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-secrets-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function secretFile(name: string, content: string, mode: number): Promise<SecretRef> {
  await writeFile(join(folder, name), content, { mode });
  return `file:${join(folder, name)}`;
}

test('a file gives its content without the newline that editors add', async () => {
  const secret = await resolveSecret(await secretFile('newline', 'pass word \n', 0o600));
  expect(secret.reveal()).toBe('pass word ');
});

test('an environment variable gives its value', async () => {
  vi.stubEnv('TYK_DR_TEST_SECRET', 'hunter2');
  expect((await resolveSecret('env:TYK_DR_TEST_SECRET')).reveal()).toBe('hunter2');
  vi.unstubAllEnvs();
});

test.each([
  ['a list', 'command:["printf", "%s\\\\n", "pass  word"]', 'pass  word'],
  ['words', 'command:echo hunter2', 'hunter2'],
] as const)('a command given as %s gives what it prints, trimmed', async (_how, reference, value) => {
  expect((await resolveSecret(reference)).reveal()).toBe(value);
});

test('a command that hangs is given up', async () => {
  await expect(resolveSecret('command:sleep 60', 50)).rejects.toMatchObject({
    code: 'SECRET_MISSING',
    message: expect.stringContaining('did not answer within 0.05 s') as unknown,
  });
});

test.each(['command:', 'command:[]', 'command:["a",1]', 'command:cat $HOME/key', 'command:["', 'vault:x'])(
  '%s is no reference: no shell reads it',
  (text) => expect(isSecretRef(text)).toBe(false),
);

test('a resolved secret does not show itself', async () => {
  const secret = await resolveSecret(await secretFile('shy', 'hunter2', 0o600));
  expect(`${secret} ${JSON.stringify({ secret })}`).not.toContain('hunter2');
});

test.each<[what: string, reference: () => Promise<SecretRef>, reason: string]>([
  ['an unset variable', async () => 'env:TYK_DR_NOT_SET', 'the variable is not set'],
  ['a missing file', async () => `file:${folder}/none`, 'the file does not exist'],
  ['a folder', async () => `file:${folder}`, 'it is a folder'],
  ['an empty file', () => secretFile('empty', '\n', 0o600), 'it is empty'],
  [
    'a file that everybody may read',
    () => secretFile('open', 'hunter2', 0o644),
    'everybody may read the file',
  ],
  [
    'a command that fails after it has said it',
    async () => 'command:["sh", "-c", "echo hunter$((1+1)) | tee /dev/stderr; exit 3"]',
    'it ended with exit code 3',
  ],
  ['a command that is not there', async () => 'command:/nowhere/vault get', 'the command is not installed'],
  ['a command that says nothing', async () => 'command:true', 'it is empty'],
])('%s is refused with its reason, never with its content', async (_what, reference, reason) => {
  const error: unknown = await resolveSecret(await reference()).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(DrError);
  expect(error).toMatchObject({ code: 'SECRET_MISSING', retryable: false });
  expect((error as DrError).message).toContain(reason);
  expect((error as DrError).message).not.toContain('hunter2');
});
