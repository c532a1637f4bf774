import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import { fileArgument } from './arguments.ts';
import { EXAMPLE } from './init-example.ts';

/** `tyk-dr init`: a commented example that validates as it stands. Never overwrites. */
export function registerInit(program: Command): void {
  program
    .command('init')
    .description('Write a commented example configuration')
    .argument('[file]', 'where to', fileArgument('FILE'), 'tyk-dr.yaml')
    .action(async (file: string) => {
      const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
        const value =
          error.code === 'EEXIST' ? `${file} (it exists)` : `${file} (${error.code ?? error.message})`;
        throw new DrError('BAD_ARGUMENT', {
          argument: 'file',
          value,
          expected: 'a new file in a folder that exists',
        });
      });
      await handle.writeFile(EXAMPLE).finally(() => handle.close());
      process.stdout.write(`${file}\n`);
      process.stderr.write(`next: edit it, then tyk-dr --config ${file} config show\n`);
    });
}
