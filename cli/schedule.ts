import type { Command } from 'commander';
import { findSchedules, type FoundSchedule } from '../adapters/temporal/schedules.ts';
import { rpoSums } from '../domain/config-check-schedules.ts';
import { DrError } from '../domain/errors.ts';
import { arithmeticText, takesByKind, takesMs } from '../domain/rpo.ts';
import { liveHosts } from '../domain/standing.ts';
import { nameArgument } from './arguments.ts';
import { deploymentOf, withDoor, type Door } from './client.ts';
import { measureNow } from './measure.ts';
import { putInForce } from './drill-standing.ts';
import { applySchedules, words, type ScheduleChange } from './schedule-changes.ts';

/** `tyk-dr schedule apply` and `schedule list`: what the configuration wants, and what Temporal has. */

export function registerSchedule(program: Command, config: () => string | undefined): void {
  const command = program.command('schedule').description('What is done without anybody asking');
  command
    .command('apply')
    .description('Bring the schedules of the configuration to Temporal; change only what differs')
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option('--dry-run', 'show the difference, change nothing')
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, options: { dryRun?: boolean; json?: boolean }) =>
      withDoor(config(), async (door) => {
        const deployments = [];
        for (const deployment of namesOf(door, name)) {
          const sums = await requireRpo(door, deployment);
          const changes = await applySchedules(door, deployment, options.dryRun ?? false);
          if (!options.dryRun) await putInForce(door, deployment);
          deployments.push({ deployment, changes, rpo: sums });
        }
        const text = options.json
          ? JSON.stringify({ version: 1, dryRun: options.dryRun ?? false, deployments }, undefined, 2)
          : deployments
              .flatMap(({ deployment, changes, rpo }) => [
                ...changeLines(deployment, changes, options.dryRun ?? false),
                ...rpo.map((sum) => `  ${sum}`),
              ])
              .join('\n');
        process.stdout.write(`${text}\n`);
      }),
    );
  command
    .command('list')
    .description('Show the schedules that Temporal has, with their last and next run')
    .argument('[deployment]', 'as named under deployments:; default all', nameArgument('DEPLOYMENT'))
    .option('--json', 'as JSON')
    .action(async (name: string | undefined, { json }: { json?: boolean }) =>
      withDoor(config(), async (door) => {
        const deployments = [];
        for (const deployment of namesOf(door, name))
          deployments.push({ deployment, schedules: await findSchedules(door.client, deployment) });
        const text = json
          ? JSON.stringify({ version: 1, deployments }, undefined, 2)
          : deployments.flatMap(({ deployment, schedules }) => listLines(deployment, schedules)).join('\n');
        process.stdout.write(`${text}\n`);
      }),
    );
}

function namesOf(door: Door, name: string | undefined): string[] {
  if (name === undefined) return Object.keys(door.config.deployments);
  deploymentOf(door.config, name);
  return [name];
}

/** With what was measured, where workers answer. @throws DrError RPO_MISSED with the sums */
async function requireRpo(door: Door, name: string): Promise<string[]> {
  const deployment = deploymentOf(door.config, name);
  if (!deployment.backup.schedules) return [];
  const figures = await measureNow(door, name);
  const found = figures.find(({ sets }) => sets);
  const takes = takesMs(found?.sets ?? []);
  const snapshotTakesMs = takesByKind(found?.snapshots ?? []);
  const archive = liveHosts(figures).find((host) => host.archive)?.archive;
  const sums = rpoSums(deployment, {
    ...(takes === undefined ? {} : { takesMs: takes }),
    snapshotTakesMs,
    ...(archive && archive.timeoutMs > 0 ? { archiveTimeoutMs: archive.timeoutMs } : {}),
  });
  const missed = sums.filter(({ fits }) => !fits);
  if (missed.length > 0)
    throw new DrError('RPO_MISSED', { deployment: name, sums: missed.map(arithmeticText).join('\n  ') });
  return sums.map(arithmeticText);
}

const VERBS: Readonly<Record<ScheduleChange['action'], [done: string, planned: string]>> = {
  create: ['created', 'would create'],
  change: ['changed', 'would change'],
  remove: ['removed', 'would remove'],
  keep: ['unchanged', 'unchanged'],
};

function changeLines(deployment: string, changes: readonly ScheduleChange[], dryRun: boolean): string[] {
  if (changes.length === 0) return [`${deployment}: no schedules, in the configuration or in Temporal`];
  return [
    `${deployment}:`,
    ...changes.map(({ kind, action, differences }) =>
      `  ${VERBS[action][dryRun ? 1 : 0].padEnd(dryRun ? 12 : 9)}  ${kind.padEnd(16)}  ${differences.join('; ')}`.trimEnd(),
    ),
  ];
}

function listLines(deployment: string, schedules: readonly FoundSchedule[]): string[] {
  if (schedules.length === 0) return [`${deployment}: no schedules in Temporal`];
  return [
    `${deployment}:`,
    ...schedules.map(({ kind, facts, paused, nextAt, lastAt }) => {
      const next = paused ? 'PAUSED' : `next ${nextAt ?? 'never'}`;
      return `  ${kind.padEnd(16)}  ${words(facts).when.padEnd(24)}  ${next}; last ${lastAt ?? 'never'}`;
    }),
  ];
}
