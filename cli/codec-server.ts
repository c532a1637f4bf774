import { once } from 'node:events';
import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { serveCodec } from '../adapters/temporal/codec-server.ts';
import { codecOf } from '../adapters/temporal/connection.ts';
import { DrError } from '../domain/errors.ts';
import { addressArgument, urlArgument } from './arguments.ts';

/** `tyk-dr codec-server`: lets the Temporal UI in this machine's browser read encrypted runs. */
export function registerCodecServer(program: Command, config: () => string | undefined): void {
  program
    .command('codec-server')
    .description('Let the Temporal UI in a browser on this machine read what is encrypted, until Ctrl-C')
    .option(
      '--listen <host:port>',
      'an address of this machine',
      addressArgument('--listen'),
      '127.0.0.1:8234',
    )
    .option(
      '--origin <url>',
      'where the UI is opened; default encryption.uiOrigin, then temporal.ui',
      urlArgument('--origin'),
    )
    .action(async ({ listen, origin }: { listen: string; origin?: string }) => {
      const { temporal } = await loadConfig(config());
      const encryption = temporal?.encryption;
      if (!encryption)
        throw new DrError('BAD_ARGUMENT', {
          argument: 'temporal.encryption',
          value: 'missing',
          expected: 'the keys that encrypt; without them the UI reads everything as it is',
        });
      const place = originOf(origin ?? encryption.uiOrigin ?? temporal.ui);
      const server = await serveCodec(await codecOf(encryption), listen, [place]);
      process.stderr.write(
        `codec server on http://${listen} for pages from ${place}\n` +
          `in the UI: the glasses at the top right (data encoder), remote endpoint http://${listen}\n`,
      );
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => server.close());
      await once(server, 'close');
    });
}

function originOf(url: string | undefined): string {
  try {
    return new URL(url ?? '').origin;
  } catch {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--origin',
      value: url ?? 'missing',
      expected: 'the address of the Temporal UI, such as http://127.0.0.1:8233',
    });
  }
}
