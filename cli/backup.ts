import type { Command } from 'commander';
import { readHold } from '../adapters/backup/prune.ts';
import { listSets, setFolder } from '../adapters/backup/repository.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { BackupResult } from '../domain/backup.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import { DrError } from '../domain/errors.ts';
import type { backup, verify } from '../workflows/index.ts';
import { registerKeeping } from './backup-keep.ts';
import { backupInput, executeBackup } from './backup-run.ts';
import { deploymentOf, openDoor, type Door } from './client.ts';
import { exitWithError } from './exit.ts';

/** `tyk-dr backup DEPLOYMENT` makes a set and proves it; `tyk-dr backup list` shows what there is. */

interface BackupOptions {
  readonly site?: string;
  readonly full?: boolean;
  readonly verify: boolean;
  readonly json?: boolean;
}

export function registerBackup(program: Command, config: () => string | undefined): void {
  const command = program
    .command('backup')
    .description('Make a backup set and prove it by restoring it; or list the sets');
  command
    .command('run', { isDefault: true })
    .description('Make a backup set of a deployment')
    .argument('<deployment>', 'as named under deployments:')
    .option('--site <site>', 'the site whose stores are the truth; default the one that serves')
    .option('--full', 'a full database backup even where an incremental one would do')
    .option('--no-verify', 'leave the restore into scratch instances to a later verify')
    .option('--json', 'as JSON')
    .action(async (name: string, options: BackupOptions) => {
      const door = await openDoor(config());
      try {
        await makeSet(door, name, options);
      } finally {
        await door.close();
      }
    });
  command
    .command('list')
    .description('List the backup sets of a deployment, newest first')
    .argument('[deployment]', 'as named under deployments:; default all')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, options: { json?: boolean }) =>
      list(config(), name, options.json ?? false),
    );
  command
    .command('verify')
    .description('Prove a set by restoring it into scratch instances beside a site')
    .argument('<deployment>', 'as named under deployments:')
    .argument('[set]', 'a set, or latest', 'latest')
    .option('--site <site>', 'on whose hosts; default the one that serves')
    .option('--json', 'as JSON')
    .action(async (name: string, set: string, options: { site?: string; json?: boolean }) => {
      const door = await openDoor(config());
      try {
        const input = await backupInput(door, name, { set, ...(options.site ? { site: options.site } : {}) });
        const result = await executeBackup<typeof verify>(
          door,
          'verify',
          [input],
          `Verify ${set} of ${name}`,
        );
        const text = options.json ? JSON.stringify({ version: 1, ...result }, undefined, 2) : result.summary;
        process.stdout.write(`${text}\n`);
      } finally {
        await door.close();
      }
    });
  registerKeeping(command, config);
}

async function makeSet(door: Door, name: string, options: BackupOptions): Promise<void> {
  const input = await backupInput(door, name, {
    ...(options.site === undefined ? {} : { site: options.site }),
    full: options.full ?? false,
  });
  const result = await executeBackup<typeof backup>(
    door,
    'backup',
    [input, options.verify],
    `Back up ${name} as ${input.set}`,
  );
  process.stdout.write(
    options.json ? `${JSON.stringify({ version: 1, ...result }, undefined, 2)}\n` : `${resultText(result)}\n`,
  );
}

function resultText(result: BackupResult): string {
  const totalMs = Date.parse(result.endedAt) - Date.parse(result.startedAt);
  return [
    `backup set ${result.set} of ${result.site}: ${result.verified ? 'complete and verified by a restore' : 'complete, NOT verified'}`,
    `  ${formatBytes(result.bytes)} sealed besides the pgBackRest repository, in ${formatDuration(totalMs)}`,
    ...result.steps.map(
      (step) => `  + ${step.id.padEnd(18)} ${formatDuration(step.durationMs).padStart(9)}  ${step.summary}`,
    ),
  ].join('\n');
}

async function list(configPath: string | undefined, only: string | undefined, json: boolean): Promise<void> {
  const config = await loadConfig(configPath);
  const names = only === undefined ? Object.keys(config.deployments) : [only];
  const rows = [];
  for (const name of names) {
    const { backup } = deploymentOf(config, name);
    for (const set of await listSets(backup, name)) {
      const hold = await readHold(setFolder(backup, name, set.set));
      rows.push({ deployment: name, ...set, ...(hold ? { hold: hold.reason } : {}) });
    }
  }
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, sets: rows }, undefined, 2)}\n`);
  else if (rows.length === 0)
    exitWithError(new DrError('NO_BACKUP', { deployment: names.join(', '), repository: 'its repository' }));
  else
    for (const row of rows)
      process.stdout.write(
        `${row.set}  ${row.state.padEnd(10)}  ${row.deployment}  ${row.site ?? ''}${row.hold === undefined ? '' : `  held: ${row.hold}`}\n`,
      );
}
