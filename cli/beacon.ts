import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { nameArgument } from './arguments.ts';
import { VERSION } from './version.ts';

/** `tyk-dr beacon DEPLOYMENT`: what the worker does by itself where a section `beacon` is configured, by hand. */
export function registerBeacon(program: Command, config: () => string | undefined): void {
  program
    .command('beacon')
    .description('Write a number a second into the stores of a site and journal what they acknowledge')
    .argument('<deployment>', 'its name in the configuration', nameArgument('DEPLOYMENT'))
    .option(
      '--site <site>',
      'only this site; default: every site, and only the one that serves writes',
      nameArgument('--site'),
    )
    .action(async (deployment: string, { site }: { site?: string }) => {
      const loaded = await loadConfig(config());
      const { runBeaconHere } = await import('../worker/beacon.ts');
      await runBeaconHere(loaded, deployment, site, VERSION);
    });
}
