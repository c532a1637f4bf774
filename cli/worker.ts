import type { Command } from 'commander';
import { loadConfig } from '../adapters/config/load.ts';
import { DrError } from '../domain/errors.ts';
import { nameArgument } from './arguments.ts';
import { BUILD } from './version.ts';

/** `tyk-dr worker NAME`: serves the components whose `worker` is NAME, until SIGTERM. */
export function registerWorker(program: Command, config: () => string | undefined): void {
  program
    .command('worker')
    .description('Run a worker on a host that owns data; it dials out to Temporal')
    .argument('<name>', 'the name that sites or components give as their worker', nameArgument('NAME'))
    .action(async (name: string) => {
      const loaded = await loadConfig(config());
      const known = workersOf(loaded);
      if (!known.includes(name))
        throw new DrError('BAD_ARGUMENT', {
          argument: 'worker',
          value: name,
          expected: `one of ${known.join(', ')}`,
        });
      // Loaded only here: the worker's native core costs every other command half a second.
      const { runWorker } = await import('../worker/main.ts');
      await runWorker(loaded, name, BUILD);
    });
}

function workersOf(config: Awaited<ReturnType<typeof loadConfig>>): string[] {
  const names = Object.values(config.deployments).flatMap((deployment) => [
    deployment.traffic?.worker,
    ...Object.values(deployment.sites).flatMap((site) => [
      site.worker,
      site.redis?.worker,
      site.database?.worker,
      site.dashboard?.worker,
      site.pump?.worker,
      ...site.gateways.map((gateway) => gateway.worker),
    ]),
  ]);
  return [...new Set(names.filter((name) => name !== undefined))];
}
