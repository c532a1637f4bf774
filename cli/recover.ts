import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { RecoverInput, RecoverPlan } from '../domain/plan.ts';
import { replacedPlaces } from '../runbooks/overwrites.ts';
import { compilePlan } from '../runbooks/plan.ts';
import { actorArgument, nameArgument, textArgument, timeArgument } from './arguments.ts';
import { deploymentOf, requireWorkers, withDoor, type Door } from './client.ts';
import { withConfigRef } from './config-ref.ts';
import { startBeforeDrills } from './drill-in-the-way.ts';
import { follow } from './follow.ts';
import { showForecast } from './forecast.ts';
import { requestOf, withCommonOptions, type PlanOptions } from './plan-request.ts';
import { fleetRequest, recoverAll, type AllOptions } from './recover-all.ts';
import { runId } from './run-id.ts';
import { toldOfStart } from './start-run.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { workersNeeded } from '../runbooks/workers.ts';

/** `tyk-dr recover`: compiles the plan, sees that the workers are there, starts the run and follows it. */

interface RecoverOptions extends PlanOptions {
  readonly detected?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly detach?: boolean;
  readonly json?: boolean;
  readonly yes?: boolean;
}

export function registerRecover(program: Command, config: () => string | undefined): void {
  withCommonOptions(
    program
      .command('recover')
      .description('Recover a deployment, or one component of it, on a site; or all that have lost a site')
      .argument('[deployment]', 'as named under deployments:', nameArgument('DEPLOYMENT'))
      .option('--all', 'every deployment that has lost --site, the most urgent first')
      .option('--site <site>', 'with --all: the site that was lost', nameArgument('--site'))
      .option('--to <site>', 'the site to recover on; with --all the other one', nameArgument('--to')),
  )
    .option('--detected <time>', 'when it was noticed', timeArgument('--detected'))
    .option('--yes', 'answer the question of --in-place beforehand')
    .requiredOption('--reason <text>', 'why; kept in the record', textArgument('--reason'))
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .option('--detach', 'start the run and return')
    .option('--json', 'events and result as JSON lines')
    .action(async (name: string | undefined, options: AllOptions, command: Command) => {
      if (options.all) return all(config(), name, options, command);
      const one = oneOf(name, options);
      await withDoor(config(), (door) => start(door, one.name, one.options));
    });
}

async function all(
  configPath: string | undefined,
  name: string | undefined,
  options: AllOptions,
  command: Command,
): Promise<void> {
  if (name !== undefined)
    throw new DrError('BAD_ARGUMENT', {
      ...{ argument: 'DEPLOYMENT', value: name, expected: 'none beside --all' },
    });
  const given = command.getOptionValueSource('scenario') !== 'default';
  const request = fleetRequest(await loadConfig(configPath), options, 'recover', given);
  await withDoor(configPath, (door) => recoverAll(door, request, options));
}

function oneOf(name: string | undefined, { to, site, ...options }: AllOptions) {
  const need = (argument: string, value: string, expected: string): never => {
    throw new DrError('BAD_ARGUMENT', { argument, value, expected });
  };
  if (name === undefined) return need('DEPLOYMENT', 'missing', 'the name of one, or --all --site SITE');
  if (site !== undefined) return need('--site', site, '--all as well; of one deployment it is --from');
  if (to === undefined) return need('--to', 'missing', 'the site to recover on');
  return { name, options: { ...options, to } satisfies RecoverOptions };
}

async function start(door: Door, name: string, options: RecoverOptions): Promise<void> {
  const deployment = deploymentOf(door.config, name);
  const actor = options.actor ?? userInfo().username;
  const compiled = compilePlan(shapeOf(name, deployment), requestOf(options));
  if (compiled.inPlace) await confirmOverwrite(compiled, deployment, options);
  const digest = configDigest(deployment);
  await Promise.all([
    requireWorkers(door, name, digest, workersNeeded(compiled)),
    ...(compiled.steps.includes('fence-source') && !compiled.sourceMayBeGone
      ? [lookAtSource(door, name, digest, compiled)]
      : []),
  ]);
  const plan = await withConfigRef(door, deployment, compiled, options.configRef);
  const input: RecoverInput = {
    run: runId('rec'),
    plan,
    planDigest: planDigest(plan),
    configDigest: digest,
    actor,
    reason: options.reason,
    declaredAt: new Date().toISOString(),
    ...(options.occurred === undefined ? {} : { occurredAt: options.occurred }),
    ...(options.detected === undefined ? {} : { detectedAt: options.detected }),
  };
  await showForecast(door, plan);
  const handle = await startBeforeDrills(door, input, titleOf(plan));
  if (toldOfStart(input.run, 'run', options)) await follow(door, handle, input.run, options.json ?? false);
}

function titleOf({ deployment, component, from, to, scenario }: RecoverPlan): string {
  return `Recover ${component ?? deployment} from ${from} to ${to} (${scenario})`;
}

/** The source's worker may be gone with its site: the run itself then asks what to do about the fence. */
async function lookAtSource(door: Door, name: string, digest: string, plan: RecoverPlan): Promise<void> {
  await requireWorkers(door, name, digest, plan.workers.source).catch((error: unknown) => {
    if (!(error instanceof DrError) || error.code !== 'WORKER_MISSING') throw error;
    process.stderr.write(`note: ${error.message}; the run will ask whether ${plan.from} can still write\n`);
  });
}

async function confirmOverwrite(
  plan: RecoverPlan,
  deployment: Deployment,
  { yes }: RecoverOptions,
): Promise<void> {
  process.stderr.write(
    `This rebuilds ${plan.component ?? 'everything'} of ${plan.deployment} on ${plan.to} in place. It stops what runs there and replaces:\n`,
  );
  for (const place of replacedPlaces(deployment.sites[plan.to]!, plan.component))
    process.stderr.write(`  ${place}\n`);
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new DrError('BAD_ARGUMENT', {
      argument: '--in-place',
      value: 'unanswered',
      expected: '--yes where nobody can be asked',
    });
  }
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Type ${plan.deployment} to go on: `);
  terminal.close();
  if (answer.trim() !== plan.deployment)
    throw new DrError('BAD_ARGUMENT', { argument: '--in-place', value: answer, expected: plan.deployment });
}
