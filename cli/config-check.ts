import type { Command } from 'commander';
import { configPath, examineConfig, invalid, readConfig } from '../adapters/config/load.ts';
import { fileArgument } from './arguments.ts';
import { exitWithError } from './exit.ts';

/** `tyk-dr config check`: made for CI. It reads the file and nothing else: no secret, no worker, no network. */
export function registerConfigCheck(command: Command, config: () => string | undefined): void {
  command
    .command('check')
    .description(
      'Check a configuration and print every error with its place; exits 0 where it is sound, 2 where not',
    )
    .argument('[file]', 'default --config, then TYK_DR_CONFIG, then ./tyk-dr.yaml', fileArgument('FILE'))
    .option('--json', 'as JSON')
    .action(async (file: string | undefined, { json }: { json?: boolean }) => {
      const path = configPath(file ?? config());
      const { config: sound, problems } = examineConfig(await readConfig(path));
      if (json) {
        const result = { version: 1, path, valid: sound !== undefined, problems };
        process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
      } else if (sound) {
        const deployments = Object.entries(sound.deployments).map(
          ([name, { sites }]) => `${name} (${Object.keys(sites).join(', ')})`,
        );
        process.stdout.write(`${path} is sound: ${deployments.join('; ')}\n`);
      }
      if (!sound) exitWithError(invalid(path, problems));
    });
}
