import type { Command } from 'commander';
import { WorkflowNotFoundError } from '@temporalio/client';
import { DrError } from '../domain/errors.ts';
import { backupId, redisAofId, snapshotId } from '../domain/messages.ts';
import { SNAPSHOT_KINDS, type SnapshotKind } from '../domain/snapshot.ts';
import type { backup, shipRedisAof, verify } from '../workflows/index.ts';
import { backupArgument, choice, nameArgument } from './arguments.ts';
import { registerCopying } from './backup-copies.ts';
import { registerKeeping } from './backup-keep.ts';
import { registerList } from './backup-list.ts';
import { registerBackupStatus } from './backup-status.ts';
import { writeResult } from './backup-result.ts';
import { backupInput, executeBackup, followBackup } from './backup-run.ts';
import { deploymentOf, withDoor, type Door } from './client.ts';
import { soon } from './run-record.ts';

/** `tyk-dr backup DEPLOYMENT` makes a set and proves it; `verify` proves one that exists; `watch` comes back to either. */

interface BackupOptions {
  readonly site?: string;
  readonly full?: boolean;
  readonly only?: SnapshotKind;
  readonly verify: boolean;
  readonly json?: boolean;
}

export function registerBackup(program: Command, config: () => string | undefined): void {
  const command = program
    .command('backup')
    .description('Make a backup set and prove it by restoring it; or list the sets');
  command
    .command('run', { isDefault: true })
    .description('Make a backup set of a deployment, or a snapshot of one store')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option(
      '--site <site>',
      'the site whose stores are the truth; default the one that serves',
      nameArgument('--site'),
    )
    .option('--full', 'a full database backup even where an incremental one would do')
    .option(
      '--only <store>',
      'a snapshot of this store, which belongs to the newest set and is used with it',
      choice('--only', SNAPSHOT_KINDS),
    )
    .option('--no-verify', 'leave the restore into scratch instances to a later verify')
    .option('--json', 'as JSON')
    .action(async (name: string, options: BackupOptions) =>
      withDoor(config(), (door) => makeSet(door, name, options)),
    );
  registerList(command, config);
  registerBackupStatus(command, config);
  command
    .command('verify')
    .description('Prove a set by restoring it into scratch instances beside a site')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .argument('[set]', 'a set or a snapshot, or latest: the newest set', backupArgument('SET'), 'latest')
    .option('--site <site>', 'on whose hosts; default the one that serves', nameArgument('--site'))
    .option(
      '--copy <name>',
      'from this off-site copy alone, as if the repository were gone',
      nameArgument('--copy'),
    )
    .option('--json', 'as JSON')
    .action(async (name: string, set: string, options: { site?: string; copy?: string; json?: boolean }) =>
      withDoor(config(), async (door) => {
        const { site, copy } = options;
        const input = await backupInput(door, name, { set, copy, ...(site ? { site } : {}) });
        const summary = `Verify ${set} of ${name}${copy === undefined ? '' : ` from ${copy} alone`}`;
        writeResult(
          'verify',
          await executeBackup<typeof verify>(door, 'verify', [input], summary),
          options.json,
        );
      }),
    );
  command
    .command('watch')
    .description(
      'Follow the backup, verification or deletion that is under way, or see how the last one ended',
    )
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--only <store>', 'that of the snapshots of this store', choice('--only', SNAPSHOT_KINDS))
    .option('--json', 'as JSON')
    .action(async (name: string, options: { only?: SnapshotKind; json?: boolean }) =>
      withDoor(config(), (door) => watchNewest(door, name, options)),
    );
  command
    .command('redis-aof')
    .description(
      'Ship what the append-only log of Redis has grown by since the last call: for a point newer than the last set',
    )
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option(
      '--site <site>',
      'the site whose Redis it is; default the one that serves',
      nameArgument('--site'),
    )
    .option('--json', 'as JSON')
    .action(async (name: string, options: { site?: string; json?: boolean }) =>
      withDoor(config(), async (door) => {
        const input = await backupInput(door, name, options.site === undefined ? {} : { site: options.site });
        const summary = `Ship the append-only log of Redis of ${name}`;
        const id = redisAofId(name);
        writeResult(
          'shipRedisAof',
          await executeBackup<typeof shipRedisAof>(door, 'shipRedisAof', [input], summary, id),
          options.json,
        );
      }),
    );
  registerCopying(command, config);
  registerKeeping(command, config);
}

async function makeSet(door: Door, name: string, options: BackupOptions): Promise<void> {
  const { only } = options;
  if (only && options.full)
    throw new DrError('BAD_ARGUMENT', {
      argument: '--full',
      value: `beside --only ${only}`,
      expected: 'one of the two: a snapshot has no database in it',
    });
  const { sites } = deploymentOf(door.config, name);
  if (only === 'redis' && !Object.values(sites).some(({ redis }) => redis))
    throw new DrError('BAD_ARGUMENT', {
      argument: '--only',
      value: only,
      expected: `a store that ${name} has; it has no Redis`,
    });
  const input = await backupInput(door, name, {
    ...(options.site === undefined ? {} : { site: options.site }),
    full: options.full ?? false,
    ...(only ? { only } : {}),
  });
  const args: Parameters<typeof backup> = [input, options.verify];
  const summary = `${only ? `Snapshot of ${only} of` : 'Back up'} ${name} as ${input.set}`;
  writeResult('backup', await executeBackup<typeof backup>(door, 'backup', args, summary), options.json);
}

async function watchNewest(
  door: Door,
  name: string,
  { only, json }: { only?: SnapshotKind; json?: boolean },
): Promise<void> {
  deploymentOf(door.config, name);
  const id = only ? snapshotId(name, only) : backupId(name);
  const handle = door.client.workflow.getHandle(id);
  const { type } = await soon(door, () => handle.describe()).catch((error: unknown) => {
    throw error instanceof WorkflowNotFoundError ? new DrError('UNKNOWN_RUN', { run: id }) : error;
  });
  writeResult(type, await followBackup(door, handle, name), json);
}
