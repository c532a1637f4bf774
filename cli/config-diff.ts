import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readManifest } from '../adapters/backup/repository.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { resolveSecret } from '../adapters/config/secrets.ts';
import { resolveRef, withCopy, type Copy } from '../adapters/git/repository.ts';
import { tagOf } from '../adapters/versioned/commit-set.ts';
import { changedContents } from '../adapters/versioned/read-config.ts';
import { knownSecrets } from '../adapters/versioned/references.ts';
import { filesOfSet } from '../adapters/versioned/set-files.ts';
import type { Deployment } from '../domain/config.ts';
import { diffConfig, type ConfigChange, type Contents } from '../domain/config-diff.ts';
import { changeLines, changeSummary } from '../domain/config-diff-text.ts';
import { DrError } from '../domain/errors.ts';
import { nameArgument, setArgument } from './arguments.ts';
import { deploymentOf } from './client.ts';
import { exitWithDifference } from './exit.ts';

/**
 * `tyk-dr config diff SET SET`: what changed between two sets. From their tags where git has both, else from the sets
 * themselves, which takes the age identity. It needs no worker and no Temporal.
 */

interface DiffOptions {
  readonly deployment?: string;
  readonly json?: boolean;
}

export function registerConfigDiff(command: Command, config: () => string | undefined): void {
  command
    .command('diff')
    .description(
      'Show what changed between the configurations of two backup sets; exits 0 where nothing did, 3 where something did',
    )
    .argument('<old>', 'a backup set', setArgument('OLD'))
    .argument('<new>', 'a backup set', setArgument('NEW'))
    .option(
      '--deployment <name>',
      'as named under deployments:; may be left out where there is one',
      nameArgument('--deployment'),
    )
    .option('--json', 'as JSON')
    .action(async (old: string, now: string, options: DiffOptions) => diff(config(), old, now, options));
}

async function diff(
  configPath: string | undefined,
  old: string,
  now: string,
  { deployment: only, json }: DiffOptions,
): Promise<void> {
  const { deployments } = await loadConfig(configPath);
  const names = Object.keys(deployments);
  if (only === undefined && names.length > 1)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--deployment',
      value: 'missing',
      expected: `one of ${names.join(', ')}`,
    });
  const name = only ?? names[0]!;
  const deployment = deploymentOf({ deployments }, name);
  const scratch = await mkdtemp(join(tmpdir(), 'tyk-dr-diff-'));
  try {
    const { changes, source } = await compare(deployment, name, old, now, scratch);
    const result = {
      version: 1,
      deployment: name,
      old,
      new: now,
      source,
      same: changes.length === 0,
      changes,
    };
    process.stdout.write(
      json
        ? `${JSON.stringify(result, undefined, 2)}\n`
        : `${[changeSummary(changes), ...changeLines(changes)].join('\n')}\n`,
    );
    if (changes.length > 0) exitWithDifference();
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Compared {
  readonly changes: ConfigChange[];
  readonly source: 'git' | 'sets';
}

async function compare(
  deployment: Deployment,
  name: string,
  old: string,
  now: string,
  scratch: string,
): Promise<Compared> {
  const tagged = await fromGit(deployment, name, old, now, join(scratch, 'config.git')).catch(
    (error: unknown) => {
      if (!(error instanceof DrError)) throw error;
      process.stderr.write(
        `note: git could not be asked (${error.message.split('\n')[0]}); reading the sets\n`,
      );
      return undefined;
    },
  );
  if (tagged) return { changes: diffConfig(...tagged), source: 'git' };
  const before = await fromSet(deployment, name, old, join(scratch, 'old'));
  const after = await fromSet(deployment, name, now, join(scratch, 'new'));
  return { changes: diffConfig(before, after), source: 'sets' };
}

/** Undefined where git does not have both: tags say which commit is a set's, and only of verified ones. */
async function fromGit(
  { backup }: Deployment,
  name: string,
  old: string,
  now: string,
  dir: string,
): Promise<[Contents, Contents] | undefined> {
  if (!backup.git) return undefined;
  return withCopy(backup.git, dir, undefined, async (copy: Copy) => {
    const commits = await Promise.all([old, now].map((set) => resolveRef(copy, `refs/tags/${tagOf(set)}`)));
    if (commits.includes(undefined)) return undefined;
    return changedContents(copy, name, commits[0], commits[1]);
  });
}

async function fromSet(
  deployment: Deployment,
  name: string,
  set: string,
  scratch: string,
): Promise<Contents> {
  const { backup } = deployment;
  const { manifest } = await readManifest(backup, name, set);
  const { files } = await filesOfSet({
    backup,
    manifest,
    identity: await resolveSecret(backup.identity),
    fingerprintKey: await resolveSecret(backup.signingKey),
    known: await knownSecrets(deployment, manifest.site, resolveSecret),
    scratch,
  });
  return new Map(files.map(({ path, content }) => [path, content]));
}
