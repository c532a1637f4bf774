import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { publicKeyOf } from '../adapters/backup/signing.ts';
import { run } from '../adapters/process/run.ts';
import { DrError } from '../domain/errors.ts';
import type { KeyTest } from '../domain/backup.ts';
import { Secret } from '../domain/secret.ts';
import type { testKeys as workflow } from '../workflows/index.ts';
import { fileArgument, nameArgument } from './arguments.ts';
import { backupInput, executeBackup } from './backup-run.ts';
import { withDoor, type Door } from './client.ts';
import { exitWithError } from './exit.ts';

/** `tyk-dr keys new` makes the keys that backups need, each in a file of its own, never over one that exists; `test` tries them. */

const PASSPHRASE_BYTES = 24;

export function registerKeys(program: Command, config: () => string | undefined): void {
  const keys = program.command('keys').description('The keys of backups');
  keys
    .command('test')
    .description('Decrypt a real object of the repository and of every off-site copy with each identity')
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action((name: string | undefined, options: { json?: boolean }) =>
      withDoor(config(), (door) => testKeys(door, name, options.json ?? false)),
    );
  keys
    .command('new')
    .description(
      'Make age identities, signing key and pgBackRest passphrase; print the lines for tyk-dr.yaml',
    )
    .argument(
      '<folder>',
      'where to; made where it is missing, with its files readable by you only',
      fileArgument('FOLDER'),
    )
    .action(async (folder: string) => {
      const lines = await makeKeys(resolve(folder));
      process.stdout.write(`${lines.join('\n')}\n`);
      process.stderr.write(
        `next: put these lines under backup: in tyk-dr.yaml, and move ${join(resolve(folder), OFFLINE)} to a safe\n`,
      );
    });
}

/** Exits as failed where one identity does not open what it should. */
async function testKeys(door: Door, only: string | undefined, json: boolean): Promise<void> {
  const names = only === undefined ? Object.keys(door.config.deployments) : [only];
  const tests: (KeyTest & { readonly deployment: string })[] = [];
  for (const name of names) {
    const input = await backupInput(door, name, {});
    const summary = `Test the keys of ${name}`;
    const result = await executeBackup<typeof workflow>(door, 'testKeys', [input, false], summary);
    if (!result) return;
    tests.push(...result.tests.map((test) => ({ deployment: name, ...test })));
  }
  const lines = tests.map(
    ({ deployment, place, identity, set, object, problem }) =>
      `${problem === undefined ? 'opens ' : 'FAILS '}  ${deployment}  ${place}  ${identity}  ${problem ?? `${object} of ${set}`}`,
  );
  process.stdout.write(
    json ? `${JSON.stringify({ version: 1, tests }, undefined, 2)}\n` : `${lines.join('\n')}\n`,
  );
  const failed = tests.filter(({ problem }) => problem !== undefined);
  const [first] = failed;
  if (first) {
    const { place, identity, problem } = first;
    const counts = { failed: failed.length, tests: tests.length };
    exitWithError(new DrError('KEYS_FAIL', { ...counts, place, identity, reason: problem }));
  }
}

const OFFLINE = 'age-offline';

/** @returns the lines for tyk-dr.yaml. @throws DrError BAD_ARGUMENT, TOOL_MISSING */
async function makeKeys(folder: string): Promise<string[]> {
  const identities = [await newIdentity(), await newIdentity()] as const;
  const signingKey = generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await keep(folder, 'age-operational', identities[0].file);
  await keep(folder, OFFLINE, identities[1].file);
  await keep(folder, 'signing-key.pem', signingKey);
  await keep(folder, 'pgbackrest-passphrase', `${randomBytes(PASSPHRASE_BYTES).toString('base64url')}\n`);
  return [
    'recipients:',
    ...identities.map(({ recipient }) => `  - ${recipient}`),
    `identity: file:${join(folder, 'age-operational')}`,
    `signingKey: file:${join(folder, 'signing-key.pem')}`,
    `trustedKeys: ['${publicKeyOf(new Secret(signingKey))}']`,
    '# and under backup.pgbackrest:',
    `passphrase: file:${join(folder, 'pgbackrest-passphrase')}`,
  ];
}

async function newIdentity(): Promise<{ file: string; recipient: string }> {
  const { stdout } = await run(['age-keygen']);
  const recipient = /# public key: (age1\w+)/.exec(stdout)?.[1];
  if (recipient === undefined)
    throw new DrError('TOOL_FAILED', {
      tool: 'age-keygen',
      exit: 'success',
      output: 'but named no public key',
    });
  return { file: `${stdout.trim()}\n`, recipient };
}

async function keep(folder: string, name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text, { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      throw new DrError('BAD_ARGUMENT', {
        argument: 'folder',
        value: folder,
        expected:
          error.code === 'EEXIST' ? `a folder without ${name}` : `one that can be written (${error.code})`,
      });
    },
  );
}
