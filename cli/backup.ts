import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import type { Command } from 'commander';
import { listSets, newSetId } from '../adapters/backup/repository.ts';
import { loadConfig } from '../adapters/config/load.ts';
import { configDigest } from '../adapters/config/digest.ts';
import type { BackupInput, BackupResult } from '../domain/backup.ts';
import { formatBytes, formatDuration } from '../domain/duration.ts';
import { DrError, isErrorCode } from '../domain/errors.ts';
import { WORKFLOW_QUEUE } from '../domain/messages.ts';
import { everyWorker } from '../runbooks/plan.ts';
import type { backup } from '../workflows/index.ts';
import { deploymentOf, openDoor, requireWorkers, type Door } from './client.ts';
import { exitWithError } from './exit.ts';
import { shapeOf } from './shape.ts';

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
}

async function makeSet(door: Door, name: string, options: BackupOptions): Promise<void> {
  const deployment = deploymentOf(door.config, name);
  if (options.site !== undefined && !(options.site in deployment.sites)) {
    throw new DrError('UNKNOWN_SITE', {
      deployment: name,
      site: options.site,
      known: Object.keys(deployment.sites).join(', '),
    });
  }
  const sites = Object.entries(shapeOf(name, deployment).sites)
    .filter(([site]) => options.site === undefined || site === options.site)
    .map(([site, shape]) => ({
      site,
      all: everyWorker(shape),
      redis: shape.redisWorker ?? shape.worker,
      database: shape.databaseWorker ?? shape.worker,
    }));
  const digest = configDigest(deployment);
  await requireWorkers(door, name, digest, options.site === undefined ? [] : sites.flatMap(({ all }) => all));
  const set = newSetId();
  const input: BackupInput = {
    run: `bak-${set.slice(0, 8)}-${set.slice(9, 15)}-${randomBytes(2).toString('hex')}`,
    set,
    deployment: name,
    configDigest: digest,
    sites,
    full: options.full ?? false,
    actor: userInfo().username,
  };
  const result = await execute(door, input, options.verify);
  process.stdout.write(
    options.json ? `${JSON.stringify({ version: 1, ...result }, undefined, 2)}\n` : `${resultText(result)}\n`,
  );
}

async function execute(door: Door, input: BackupInput, verify: boolean): Promise<BackupResult> {
  const workflowId = `backup/${input.deployment}`;
  try {
    return await door.client.workflow.execute<typeof backup>('backup', {
      workflowId,
      taskQueue: WORKFLOW_QUEUE,
      args: [input, verify],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `Back up ${input.deployment} as ${input.set}`,
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      throw new DrError('ALREADY_RUNNING', { workflowId, run: 'a backup' });
    throw failureOf(error);
  }
}

/** The error of our own table inside what Temporal wraps around it. */
function failureOf(error: unknown): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const cause = error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type))
    return DrError.told(cause.type, cause.message);
  return new DrError('BUG', { message: cause?.message ?? error.message });
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
    const sets = await listSets(deploymentOf(config, name).backup, name);
    rows.push(...sets.map((set) => ({ deployment: name, ...set })));
  }
  if (json) process.stdout.write(`${JSON.stringify({ version: 1, sets: rows }, undefined, 2)}\n`);
  else if (rows.length === 0)
    exitWithError(new DrError('NO_BACKUP', { deployment: names.join(', '), repository: 'its repository' }));
  else
    for (const row of rows) process.stdout.write(`${row.set}  ${row.state.padEnd(10)}  ${row.deployment}\n`);
}
