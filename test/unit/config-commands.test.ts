import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { publicKeyOf } from '../../adapters/backup/signing.ts';
import { loadConfig } from '../../adapters/config/load.ts';
import { resolveSecret } from '../../adapters/config/secrets.ts';
import { registerConfig } from '../../cli/config.ts';
import { registerInit } from '../../cli/init.ts';
import { registerKeys } from '../../cli/keys.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tyk-dr-commands-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a command of ours in this process. @returns its standard output */
async function tykDr(config: string | undefined, ...args: string[]): Promise<string> {
  const program = new Command().exitOverride();
  registerInit(program);
  registerKeys(program, () => config);
  registerConfig(program, () => config);
  let output = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    output += String(chunk);
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await program.parseAsync(args, { from: 'user' });
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
  return output;
}

test('init writes a file that loads, and that only its owner reads', async () => {
  const file = join(folder, 'fresh.yaml');
  await tykDr(undefined, 'init', file);
  await expect(loadConfig(file)).resolves.toMatchObject({ version: 'tyk-dr/v1' });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('init never overwrites', async () => {
  const file = join(folder, 'precious.yaml');
  await writeFile(file, 'precious');
  await expect(tykDr(undefined, 'init', file)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  expect(await readFile(file, 'utf8')).toBe('precious');
});

test('keys new makes what the printed lines say, for its owner alone, and never overwrites', async () => {
  const keys = join(folder, 'keys');
  const made = parse(await tykDr(undefined, 'keys', 'new', keys)) as Record<string, string | string[]>;
  for (const name of await readdir(keys))
    expect((await stat(join(keys, name))).mode & 0o777, name).toBe(0o600);
  const file = join(folder, 'with-keys.yaml');
  await tykDr(undefined, 'init', file);
  const config = parse(await readFile(file, 'utf8'), { merge: true }) as {
    deployments: { payments: { backup: Record<string, unknown> & { pgbackrest: Record<string, unknown> } } };
  };
  const { backup } = config.deployments.payments;
  const { passphrase, ...lines } = made;
  Object.assign(backup, lines);
  Object.assign(backup.pgbackrest, { passphrase });
  await writeFile(file, stringify(config));
  await expect(loadConfig(file)).resolves.toBeDefined();
  const signing = await resolveSecret(made['signingKey'] as `file:${string}`);
  expect(made['trustedKeys']).toEqual([publicKeyOf(signing)]);
  expect(String(await readFile(join(keys, 'age-offline'), 'utf8'))).toContain(made['recipients']![1]);
  await expect(tykDr(undefined, 'keys', 'new', keys)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  expect(publicKeyOf(await resolveSecret(made['signingKey'] as `file:${string}`))).toBe(
    made['trustedKeys']![0],
  );
});

test('config show fills in defaults and shows where secrets are, not what they are', async () => {
  const file = join(folder, 'shown.yaml');
  await tykDr(undefined, 'init', file);
  const original = await readFile(file, 'utf8');
  const key = join(folder, 'key');
  await writeFile(key, 'hunter2', { mode: 0o600 });
  await writeFile(
    file,
    original
      .replace('    objectives: { rto: 15m, rpo: 5m }\n', '')
      .replace('file:/etc/tyk-dr/secrets/gateway', `file:${key}`),
  );
  for (const [args, read] of [
    [['config', 'show'], parse],
    [['config', 'show', '--json'], JSON.parse],
  ] as const) {
    const output = await tykDr(file, ...args);
    expect(output).not.toContain('hunter2');
    expect((read as (text: string) => unknown)(output)).toMatchObject({
      deployments: {
        payments: {
          objectives: { rto: '15m', rpo: '5m' },
          secrets: { gateway: `file:${key}` },
          sites: { paris: { redis: { host: '127.0.0.1' } } },
        },
      },
    });
  }
});

test('a configuration that is not there is named with its path', async () => {
  const file = join(folder, 'none.yaml');
  await expect(tykDr(file, 'config', 'show')).rejects.toMatchObject({
    code: 'CONFIG_NOT_FOUND',
    message: `no configuration at ${file}`,
  });
});

test('config check tells all errors at once with their places, and exits with 2; a sound file exits with 0', async () => {
  const file = join(folder, 'checked.yaml');
  await tykDr(undefined, 'init', file);
  expect(await tykDr(undefined, 'config', 'check', file)).toContain(
    `${file} is sound: payments (london, paris)`,
  );
  expect(process.exitCode).toBeUndefined();
  const text = await readFile(file, 'utf8');
  await writeFile(
    file,
    text
      .replace('tier: critical', 'tier: urgent')
      .replace('port: 6379', 'prot: 6379')
      .replace('/srv/backup/tyk-config.git', '"https://me:hunter2@host/x"'),
  );
  const output = await tykDr(file, 'config', 'check', '--json');
  expect(process.exitCode).toBe(2);
  process.exitCode = undefined;
  expect(output).not.toContain('hunter2');
  const answer = JSON.parse(output) as {
    valid: boolean;
    problems: { line: number; field: string; message: string }[];
  };
  const lines = (await readFile(file, 'utf8')).split('\n');
  expect(answer.valid).toBe(false);
  for (const [field, written] of [
    ['deployments.payments.tier', 'tier: urgent'],
    ['deployments.payments.backup.git.repository', 'git: {'],
    ['deployments.payments.sites.london.redis.prot', 'prot:'],
  ] as const)
    expect(lines[answer.problems.find((problem) => problem.field === field)!.line - 1]).toContain(written);
});
