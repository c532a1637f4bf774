import type { Command } from 'commander';
import { shipWalId } from '../domain/messages.ts';
import type { copy, rewrap, shipWal } from '../workflows/index.ts';
import { backupArgument, nameArgument, setArgument } from './arguments.ts';
import { writeResult } from './backup-result.ts';
import { backupInput, executeBackup } from './backup-run.ts';
import { withDoor } from './client.ts';

/** `tyk-dr backup copy`, `wal` and `rewrap`: what goes to the off-site copies, and for whom it is sealed. */

interface Options {
  readonly site?: string;
  readonly json?: boolean;
}

const siteOf = ({ site }: Options) => (site === undefined ? {} : { site });

export function registerCopying(command: Command, config: () => string | undefined): void {
  command
    .command('copy')
    .description('Bring a set to every off-site copy; send only what is not there yet')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .argument('[set]', 'a set or a snapshot, or latest: the newest set', backupArgument('SET'), 'latest')
    .option('--site <site>', 'by whose hosts; default the one that serves', nameArgument('--site'))
    .option('--json', 'as JSON')
    .action(async (name: string, set: string, options: Options) =>
      withDoor(config(), async (door) => {
        const input = await backupInput(door, name, { set, ...siteOf(options) });
        const summary = `Copy ${set} of ${name} off-site`;
        writeResult('copy', await executeBackup<typeof copy>(door, 'copy', [input], summary), options.json);
      }),
    );
  command
    .command('wal')
    .description('Ship new WAL to every off-site copy, behind the newest set that it holds')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .option('--site <site>', 'by whose hosts; default the one that serves', nameArgument('--site'))
    .option('--json', 'as JSON')
    .action(async (name: string, options: Options) =>
      withDoor(config(), async (door) => {
        const input = await backupInput(door, name, siteOf(options));
        const summary = `Ship new WAL of ${name} off-site`;
        const id = shipWalId(name);
        const result = await executeBackup<typeof shipWal>(door, 'shipWal', [input], summary, id);
        writeResult('shipWal', result, options.json);
      }),
    );
  command
    .command('rewrap')
    .description('Seal a set anew for the recipients of today, as a new set; prove it and bring it off-site')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .argument('<set>', 'a set, or latest', setArgument('SET'))
    .option('--site <site>', 'by whose hosts; default the one that serves', nameArgument('--site'))
    .option(
      '--no-verify',
      'leave the proof to a later verify: until then it does not take the place of the old set',
    )
    .option('--json', 'as JSON')
    .action(async (name: string, set: string, options: Options & { verify: boolean }) =>
      withDoor(config(), async (door) => {
        const input = await backupInput(door, name, { set, ...siteOf(options) });
        const args: Parameters<typeof rewrap> = [input, options.verify];
        const summary = `Seal ${set} of ${name} anew`;
        const result = await executeBackup<typeof rewrap>(door, 'rewrap', args, summary);
        writeResult('rewrap', result, options.json);
      }),
    );
}
