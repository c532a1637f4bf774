import type { Command } from 'commander';
import { stringify } from 'yaml';
import { configDigest } from '../adapters/config/digest.ts';
import { configPath, loadConfig } from '../adapters/config/load.ts';
import type { Deployment } from '../domain/config.ts';
import { TIER_DEFAULTS } from '../domain/objectives.ts';
import { registerConfigCheck } from './config-check.ts';
import { registerConfigDiff } from './config-diff.ts';

/** `tyk-dr config show`: what the configuration means, defaults filled in. Secrets are references; they stay that. */
export function registerConfig(program: Command, config: () => string | undefined): void {
  const command = program.command('config').description('Look at the configuration, check it, compare it');
  registerConfigCheck(command, config);
  registerConfigDiff(command, config);
  command
    .command('show')
    .description('Print the merged result: defaults filled in, secrets as references only')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const loaded = await loadConfig(config());
      const shown = {
        ...loaded,
        deployments: Object.fromEntries(
          Object.entries(loaded.deployments).map(([name, deployment]) => [name, merged(deployment)]),
        ),
      };
      process.stderr.write(`# ${configPath(config())}\n`);
      process.stdout.write(
        json ? `${JSON.stringify(shown, undefined, 2)}\n` : stringify(shown, { lineWidth: 120 }),
      );
    });
}

function merged(deployment: Deployment) {
  const defaults = TIER_DEFAULTS[deployment.tier];
  return {
    digest: configDigest(deployment),
    ...deployment,
    objectives: {
      rto: asWritten(deployment.objectives.rto ?? defaults.rtoMs),
      rpo: asWritten(deployment.objectives.rpo ?? defaults.rpoMs),
      priority: defaults.priority,
    },
  };
}

/** A duration in the configuration's own notation, in the largest unit that leaves no remainder. */
function asWritten(durationMs: number): string {
  const [name, unitMs] = UNITS_MS.find(([, unitMs]) => durationMs % unitMs === 0) ?? ['ms', 1];
  return `${durationMs / unitMs}${name}`;
}

const UNITS_MS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;
