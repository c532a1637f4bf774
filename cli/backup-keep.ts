import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { readHold, removeHold, writeHold } from '../adapters/backup/prune.ts';
import { listSets, setFolder } from '../adapters/backup/repository.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { PrunedCopy, PruneResult } from '../domain/backup.ts';
import type { BackupConfig } from '../domain/config.ts';
import { formatBytes } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { Verdict } from '../domain/retention.ts';
import { snapshotKind } from '../domain/snapshot.ts';
import type { prune } from '../workflows/index.ts';
import { nameArgument, setArgument, textArgument } from './arguments.ts';
import { backupInput, executeBackup } from './backup-run.ts';
import { deploymentOf, withDoor } from './client.ts';
import { exitWithError } from './exit.ts';

/** `tyk-dr backup prune`, `hold` and `release`: which sets stay. */

export function registerKeeping(command: Command, config: () => string | undefined): void {
  command
    .command('prune')
    .description('Delete the sets that the rules under backup.keep let go')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--dry-run', 'show what would go, and why the others stay; delete nothing')
    .option('--json', 'as JSON')
    .action(async (name: string, options: { dryRun?: boolean; json?: boolean }) => {
      await withDoor(config(), async (door) => {
        const input = await backupInput(door, name, {});
        const result = await executeBackup<typeof prune>(
          door,
          'prune',
          [input, options.dryRun ?? false, false],
          `Delete old backup sets of ${name}${options.dryRun ? ' (dry run)' : ''}`,
        );
        if (!result) return;
        process.stdout.write(
          options.json
            ? `${JSON.stringify({ version: 1, ...result }, undefined, 2)}\n`
            : `${pruneText(result)}\n`,
        );
        const problems = (result.copies ?? []).flatMap(({ copy, problem }) =>
          problem === undefined ? [] : `${copy}: ${problem}`,
        );
        if (problems.length > 0)
          exitWithError(new DrError('PRUNE_INCOMPLETE', { deployment: name, reason: problems.join('; ') }));
      });
    });
  command
    .command('hold')
    .description('Keep a set whatever the rules say, until it is released')
    .argument('<deployment>', '', nameArgument('DEPLOYMENT'))
    .argument('<set>', '', setArgument('SET'))
    .requiredOption('--reason <text>', 'why; shown wherever the set is listed', textArgument('--reason'))
    .action(async (name: string, set: string, { reason }: { reason: string }) => {
      const { folder } = await existingSet(config(), name, set);
      await writeHold(folder, { reason, actor: userInfo().username, at: new Date().toISOString() });
      process.stdout.write(`${set} is held: ${reason}\n`);
    });
  command
    .command('release')
    .description('Give a held set back to the rules')
    .argument('<deployment>', '', nameArgument('DEPLOYMENT'))
    .argument('<set>', '', setArgument('SET'))
    .action(async (name: string, set: string) => {
      const { folder } = await existingSet(config(), name, set);
      const held = await readHold(folder);
      await removeHold(folder);
      process.stdout.write(
        held ? `${set} is released; it was held: ${held.reason}\n` : `${set} was not held\n`,
      );
    });
}

async function existingSet(
  configPath: string | undefined,
  name: string,
  set: string,
): Promise<{ backup: BackupConfig; folder: string }> {
  const { backup } = deploymentOf(await loadConfig(configPath), name);
  if (snapshotKind(set) !== undefined)
    throw new DrError('BAD_ARGUMENT', {
      argument: 'set',
      value: set,
      expected: 'the set that it belongs to: a snapshot stays as long as its set does',
    });
  const folder = setFolder(backup, name, set);
  const known = (await listSets(backup, name)).map((listed) => listed.set);
  if (!known.includes(set))
    throw new DrError('NO_BACKUP', {
      deployment: name,
      repository: backup.repository,
      reason: `there is no set ${set}`,
    });
  return { backup, folder };
}

export function pruneText(result: PruneResult): string {
  const { summary, verdicts, snapshots = [], orphans, expired, logs = [], copies = [] } = result;
  return [
    summary,
    ...verdictLines(verdicts, snapshots),
    ...expired.map((label) => `  DELETE  database backup ${label}`),
    ...logs.map((chain) => `  DELETE  shipped log of Redis ${chain}`),
    ...orphanLines(orphans),
    ...copies.flatMap(copyLines),
  ].join('\n');
}

/** Each set with its snapshots under it. */
function verdictLines(verdicts: readonly Verdict[], snapshots: readonly Verdict[] = []): string[] {
  const line = ({ set, keep, reasons }: Verdict, indent = ''): string =>
    `  ${keep ? 'keep  ' : 'DELETE'}  ${indent}${set}  ${reasons.join(', ')}`.trimEnd();
  return verdicts.flatMap((verdict) => [
    line(verdict),
    ...snapshots.filter(({ belongsTo }) => belongsTo === verdict.set).map((snapshot) => line(snapshot, '  ')),
  ]);
}

function orphanLines(orphans: readonly string[]): string[] {
  return orphans.map((orphan) => `  left    ${orphan}: of no use as it is; look at it and delete it by hand`);
}

function copyLines({ copy, pruned, verdicts, orphans, files, bytes, problem }: PrunedCopy): string[] {
  if (problem !== undefined && !pruned) return [`at ${copy}: NOT pruned: ${problem}`];
  if (!pruned) return [`at ${copy}: left alone (prune: false)`];
  return [
    `at ${copy}:`,
    ...verdictLines(verdicts),
    ...(files > 0 ? [`  DELETE  ${files} files of the database's repository, ${formatBytes(bytes)}`] : []),
    ...orphanLines(orphans),
    ...(problem === undefined ? [] : [`  ${problem}`]),
  ];
}
