import { copyFile, readFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { listPacks, openPacks } from '../adapters/evidence/chain.ts';
import { publicKeys } from '../adapters/evidence/public-keys.ts';
import { openPack } from '../adapters/evidence/pack.ts';
import { isWhole, verifyChain, type ChainVerdict } from '../adapters/evidence/verify.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { KeptPack } from '../domain/evidence.ts';
import { columns } from '../report/columns.ts';
import { digestArgument, fileArgument, nameArgument, numberArgument, runArgument } from './arguments.ts';
import { deploymentOf } from './client.ts';
import { exitUnlessGood, exitWithError } from './exit.ts';
import { registerBundle } from './evidence-bundle.ts';
import { makeEvidence } from './evidence-export.ts';

/** `tyk-dr evidence`: signed, chained packs of all that is known of a run, and whether they are still what was signed. */

export function registerEvidence(program: Command, config: () => string | undefined): void {
  const command = program
    .command('evidence')
    .description('Signed packs of all that is known of a run, for auditors: made, listed, verified');
  command
    .command('export')
    .description('Make the evidence pack of a run, behind the pack before it, and keep it in the repository')
    .argument('<run>', 'a run id, or a deployment for its newest run', runArgument('RUN'))
    .option('--out <file>', 'a copy of the pack', fileArgument('--out'))
    .option('--json', 'as JSON')
    .action(async (run: string, { out, json }: { out?: string; json?: boolean }) => {
      const pack = await makeEvidence(config(), run);
      const copy = out === undefined ? undefined : await copyOut(pack.file, resolve(out));
      process.stdout.write(
        json
          ? `${JSON.stringify({ version: 1, ...pack, ...(copy === undefined ? {} : { copy }) }, undefined, 2)}\n`
          : keptLines(pack, copy),
      );
    });
  command
    .command('list')
    .description('The packs of a deployment that the repository keeps')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action(async (name: string, { json }: { json?: boolean }) =>
      listEvidence(config(), name, json ?? false),
    );
  command
    .command('verify')
    .description(
      'Whether packs are what was signed, and follow one another; needs nothing but the packs and public keys',
    )
    .argument('<packs...>', 'files, in the order of their numbers', collect(fileArgument('PACKS')))
    .option(
      '--key <key>',
      'a public key that counts, ed25519:BASE64 or a file; again for more; default those under backup.trustedKeys',
      collect(fileArgument('--key')),
    )
    .option(
      '--first <number>',
      'the chain may begin with this pack: earlier ones are elsewhere',
      numberArgument('--first', 1, 999_999),
    )
    .option(
      '--head <digest>',
      'the newest pack must have this digest, as it was noted at its export',
      digestArgument('--head'),
    )
    .option('--json', 'as JSON')
    .action(async (files: string[], options: VerifyOptions) => verifyEvidence(config(), files, options));
  registerBundle(command, config);
}

interface VerifyOptions {
  readonly key?: readonly string[];
  readonly first?: number;
  readonly head?: string;
  readonly json?: boolean;
}

/** What may be given again and again. */
function collect(parse: ReturnType<typeof fileArgument>) {
  return Object.assign(
    (value: string, before: readonly string[] | undefined): string[] => [...(before ?? []), parse(value)],
    { kind: parse.kind },
  );
}

async function copyOut(file: string, out: string): Promise<string> {
  await copyFile(file, out, constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = {
      EEXIST: 'a file that is not there yet',
      ENOENT: `a folder that is there, and a host that reaches ${file}`,
    };
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: '--out', value: out },
      expected: `${reasons[error.code ?? ''] ?? `a file that can be written (${error.code})`}; the pack is kept at ${file}`,
    });
  });
  return out;
}

function keptLines({ file, sequence, digest, bytes, members, absent }: KeptPack, copy?: string): string {
  return [
    `pack ${sequence}: ${members} files, ${formatBytes(bytes)}`,
    `  kept at  ${file}`,
    ...(copy === undefined ? [] : [`  copy at  ${copy}`]),
    `  digest   ${digest}`,
    ...absent.map((text) => `  without  ${text}`),
    'Note the digest somewhere else: with it evidence verify --head finds also that the newest packs were removed.',
    '',
  ].join('\n');
}

async function listEvidence(configPath: string | undefined, name: string, json: boolean): Promise<void> {
  const { backup } = deploymentOf(await loadConfig(configPath), name);
  const files = await listPacks(backup, name);
  const opened = await openPacks(backup, files);
  const verdict = verifyChain(
    files.map((file, at) => ({ file, opened: opened[at]! })),
    {},
  );
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, ...verdict }, undefined, 2)}\n`);
  else
    process.stdout.write(
      files.length === 0
        ? `no pack yet: tyk-dr evidence export ${name}\n`
        : `${[...packLines(verdict), ...verdict.chain.map((text) => `PROBLEM  ${text}`)].join('\n')}\n`,
    );
  exitUnlessGood(isWhole(verdict));
}

async function verifyEvidence(
  configPath: string | undefined,
  files: readonly string[],
  { key, first, head, json }: VerifyOptions,
): Promise<void> {
  const keys = key ? await publicKeys(key) : await configuredKeys(configPath);
  const given = [];
  for (const file of files) given.push({ file, opened: openPack(await readPack(file), keys) });
  const wish = { ...(first === undefined ? {} : { first }), ...(head === undefined ? {} : { head }) };
  const verdict = verifyChain(given, wish);
  const problems = [
    ...verdict.packs.flatMap(({ file, problems: own }) => own.map((text) => `${file}: ${text}`)),
    ...verdict.chain,
  ];
  const body = { version: 1, whole: problems.length === 0, keys, ...verdict };
  process.stdout.write(
    json
      ? `${JSON.stringify(body, undefined, 2)}\n`
      : `${[
          ...packLines(verdict),
          ...problems.map((text) => `PROBLEM  ${text}`),
          ...(problems.length === 0 ? [wholeText(verdict)] : []),
          ...verdict.notChecked.map((text) => `not checked: ${text}`),
        ].join('\n')}\n`,
  );
  if (problems.length > 0)
    exitWithError(new DrError('EVIDENCE_BROKEN', { count: problems.length, first: problems[0]! }));
}

function wholeText({ packs }: ChainVerdict): string {
  return packs.length === 1
    ? 'the pack is what was signed'
    : `all ${packs.length} packs are what was signed, and each follows the one before it`;
}

function packLines({ packs }: ChainVerdict): string[] {
  return columns([
    ['', 'PACK', 'DEPLOYMENT', 'RUN', 'MADE', 'FILES', 'DIGEST'],
    ...packs.map((pack) => [
      pack.problems.length === 0 ? 'whole' : 'BROKEN',
      String(pack.sequence ?? '?'),
      pack.deployment ?? pack.file,
      pack.run ?? '',
      pack.createdAt ?? '',
      String(pack.members),
      pack.digest?.slice(0, 16) ?? '',
    ]),
  ]);
}

/** Without --key those of the configuration count; without either nobody's do. */
async function configuredKeys(configPath: string | undefined): Promise<string[]> {
  const config = await loadConfig(configPath).catch((error: unknown) => {
    if (!(error instanceof DrError) || error.code !== 'CONFIG_NOT_FOUND') throw error;
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: '--key', value: 'missing' },
      expected: 'a public key that counts: there is no configuration here to take it from',
    });
  });
  return Object.values(config.deployments).flatMap(({ backup }) => backup.trustedKeys);
}

async function readPack(file: string): Promise<Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: 'PACKS', value: file, expected: `a file that can be read (${error.code})` },
    });
  });
}
