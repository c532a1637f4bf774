import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { readHold, removeHold, writeHold } from '../adapters/backup/prune.ts';
import { listSets, setFolder } from '../adapters/backup/repository.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { PruneResult } from '../domain/backup.ts';
import type { BackupConfig } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { Verdict } from '../domain/retention.ts';
import { snapshotKind } from '../domain/snapshot.ts';
import type { prune } from '../workflows/index.ts';
import { backupInput, executeBackup } from './backup-run.ts';
import { deploymentOf, withDoor } from './client.ts';

/** `tyk-dr backup prune`, `hold` and `release`: which sets stay. */

export function registerKeeping(command: Command, config: () => string | undefined): void {
  command
    .command('prune')
    .description('Delete the sets that the rules under backup.keep let go')
    .argument('<deployment>', 'as named under deployments:')
    .option('--dry-run', 'show what would go, and why the others stay; delete nothing')
    .option('--json', 'as JSON')
    .action(async (name: string, options: { dryRun?: boolean; json?: boolean }) => {
      await withDoor(config(), async (door) => {
        const input = await backupInput(door, name, {});
        const result = await executeBackup<typeof prune>(
          door,
          'prune',
          [input, options.dryRun ?? false],
          `Delete old backup sets of ${name}${options.dryRun ? ' (dry run)' : ''}`,
        );
        if (result)
          process.stdout.write(
            options.json
              ? `${JSON.stringify({ version: 1, ...result }, undefined, 2)}\n`
              : `${pruneText(result)}\n`,
          );
      });
    });
  command
    .command('hold')
    .description('Keep a set whatever the rules say, until it is released')
    .argument('<deployment>')
    .argument('<set>')
    .requiredOption('--reason <text>', 'why; shown wherever the set is listed')
    .action(async (name: string, set: string, { reason }: { reason: string }) => {
      const { folder } = await existingSet(config(), name, set);
      if (reason.trim() === '')
        throw new DrError('BAD_ARGUMENT', { argument: '--reason', value: reason, expected: 'a sentence' });
      await writeHold(folder, { reason, actor: userInfo().username, at: new Date().toISOString() });
      process.stdout.write(`${set} is held: ${reason}\n`);
    });
  command
    .command('release')
    .description('Give a held set back to the rules')
    .argument('<deployment>')
    .argument('<set>')
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

export function pruneText({ summary, verdicts, snapshots = [], orphans, expired }: PruneResult): string {
  const line = ({ set, keep, reasons }: Verdict, indent = ''): string =>
    `  ${keep ? 'keep  ' : 'DELETE'}  ${indent}${set}  ${reasons.join(', ')}`.trimEnd();
  return [
    summary,
    ...verdicts.flatMap((verdict) => [
      line(verdict),
      ...snapshots
        .filter(({ belongsTo }) => belongsTo === verdict.set)
        .map((snapshot) => line(snapshot, '  ')),
    ]),
    ...expired.map((label) => `  DELETE  database backup ${label}`),
    ...orphans.map((orphan) => `  left    ${orphan}: of no use as it is; look at it and delete it by hand`),
  ].join('\n');
}
