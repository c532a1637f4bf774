import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { resolveSecret } from '../../adapters/config/secrets.ts';
import { DrError } from '../../domain/errors.ts';
import type { SecretRef } from '../../domain/secret.ts';

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
])('%s is refused with its reason, never with its content', async (_what, reference, reason) => {
  const error: unknown = await resolveSecret(await reference()).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(DrError);
  expect(error).toMatchObject({ code: 'SECRET_MISSING', retryable: false });
  expect((error as DrError).message).toContain(reason);
  expect((error as DrError).message).not.toContain('hunter2');
});
