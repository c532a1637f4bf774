import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Command } from 'commander';
import { configDigest } from '../adapters/config/digest.ts';
import { knownSite } from '../domain/known-site.ts';
import { lockId, WORKFLOW_QUEUE } from '../domain/messages.ts';
import { everyWorker } from '../runbooks/workers.ts';
import type { unfence } from '../workflows/index.ts';
import { nameArgument, textArgument } from './arguments.ts';
import { deploymentOf, alreadyRunning, requireWorkers, withDoor, type Door } from './client.ts';
import { toldByWorker } from './failures.ts';
import { shapeOf } from '../runbooks/shape-of.ts';

/** `tyk-dr unfence`: a site that was given up may start again. */

interface UnfenceOptions {
  readonly reason: string;
  readonly othersAreDown?: boolean;
}

export function registerUnfence(program: Command, config: () => string | undefined): void {
  program
    .command('unfence')
    .description(
      'Let a site that was given up start again, and one be written to that a lost failover held; refused while another one writes',
    )
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .argument('<site>', 'the fenced site', nameArgument('SITE'))
    .requiredOption('--reason <text>', 'why; kept in Temporal', textArgument('--reason'))
    .option('--others-are-down', 'assert that sites whose workers do not answer cannot write')
    .action(async (name: string, site: string, options: UnfenceOptions) => {
      const answer = await withDoor(config(), (door) => run(door, name, site, options));
      process.stdout.write(`${site}: ${answer}\n`);
    });
}

async function run(door: Door, name: string, site: string, options: UnfenceOptions): Promise<string> {
  const deployment = deploymentOf(door.config, name);
  const { sites } = shapeOf(name, deployment);
  const own = knownSite(name, sites, site);
  const workers = everyWorker(own);
  await requireWorkers(door, name, configDigest(deployment), workers);
  const others = Object.entries(sites)
    .filter(([other]) => other !== site)
    .map(([other, shape]) => ({ site: other, workers: everyWorker(shape) }));
  const input = { deployment: name, site, workers, others, othersAreDown: options.othersAreDown ?? false };
  try {
    return await door.client.workflow.execute<typeof unfence>('unfence', {
      workflowId: lockId(name),
      taskQueue: WORKFLOW_QUEUE,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `Let ${site} of ${name} start again`,
      staticDetails: `${options.reason}\n\nBy ${userInfo().username}.`,
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw await alreadyRunning(door, name);
    throw toldByWorker(error) ?? error;
  }
}
