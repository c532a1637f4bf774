import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Command } from 'commander';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { DRILL_TYPES, PLANTS, type DrillType, type Plant, type Promotion } from '../domain/drill.ts';
import { DrError } from '../domain/errors.ts';
import { knownSite } from '../domain/known-site.ts';
import { lockId, WORKFLOW_QUEUE } from '../domain/messages.ts';
import { parseParticipants } from '../domain/participants.ts';
import type { RecoverInput, RecoverPlan } from '../domain/plan.ts';
import { RECOVERABLE, SCENARIOS, type Recoverable, type Scenario } from '../domain/run.ts';
import { TABLETOP_VIEWS } from '../domain/tabletop.ts';
import { compileDrill, compilePromotion, liveSite } from '../runbooks/drill-plan.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { everyWorker } from '../runbooks/workers.ts';
import type { drillCleanup } from '../workflows/index.ts';
import {
  actorArgument,
  backupArgument,
  choice,
  fileArgument,
  nameArgument,
  textArgument,
} from './arguments.ts';
import { alreadyRunning, deploymentOf, requireWorkers, withDoor, type Door } from './client.ts';
import { toldByWorker } from './failures.ts';
import { registerDrillDecisions } from './drill-decide.ts';
import { tabletop } from './drill-tabletop.ts';
import {
  participantArgument,
  refuseTabletopOptions,
  tabletopOptions,
  type DrillTabletopOptions,
} from './drill-options.ts';
import { follow } from './follow.ts';
import { runId } from './run-id.ts';
import { startRun, toldOfStart } from './start-run.ts';

/** `tyk-dr drill`: rehearses a recovery where it touches nobody, and takes it back. */

interface DrillOptions extends DrillTabletopOptions {
  readonly type: DrillType;
  readonly scenario: Scenario;
  readonly component?: Recoverable;
  readonly plant?: Plant;
  readonly end: 'teardown' | 'promote';
  readonly from?: string;
  readonly backup: string;
  readonly onFailure: 'ask' | 'abort';
  readonly decide: 'auto' | 'person';
  readonly reason: string;
  readonly actor?: string;
  readonly detach?: boolean;
  readonly json?: boolean;
}

export function registerDrill(program: Command, config: () => string | undefined): void {
  const command = program
    .command('drill')
    .description('Rehearse a recovery in an isolated target; production is not touched, and that is proven')
    .enablePositionalOptions();
  command
    .command('run', { isDefault: true })
    .description('Start a drill, follow it to its end, tear it down')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .requiredOption('--type <type>', 'how much of it', choice('--type', DRILL_TYPES))
    .option(
      '--scenario <scenario>',
      'what is supposed to have happened',
      choice('--scenario', SCENARIOS),
      'infrastructure',
    )
    .option('--component <component>', 'of a component drill', choice('--component', RECOVERABLE))
    .option('--plant <fault>', 'plant a fault: the drill must notice it', choice('--plant', PLANTS))
    .option(
      '--end <how>',
      'teardown, or promote a full drill that has passed',
      choice('--end', ['teardown', 'promote']),
      'teardown',
    )
    .option(
      '--from <site>',
      'the site that serves; may be left out where there are two',
      nameArgument('--from'),
    )
    .option('--backup <set>', 'a backup set, or latest', backupArgument('--backup'), 'latest')
    .option(
      '--decide <who>',
      'who declares a simulated disaster',
      choice('--decide', ['auto', 'person']),
      'auto',
    )
    .option(
      '--on-failure <what>',
      'abort and tear down, or ask a person, to rehearse that as well',
      choice('--on-failure', ['ask', 'abort']),
      'abort',
    )
    .option('--reason <text>', 'why; kept in the record', textArgument('--reason'), 'a rehearsal')
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .option('--detach', 'start the drill and return')
    .option('--json', 'events and result as JSON lines')
    .option(
      '--participant <role=person>',
      'who takes part; again for more; default the people under roles',
      participantArgument(),
    )
    .option(
      '--view <view>',
      'of a tabletop: facilitator sees good answers, hints and coming events',
      choice('--view', TABLETOP_VIEWS),
    )
    .option(
      '--answers <file>',
      'of a tabletop that was held on paper: what was said, YAML or JSON',
      fileArgument('--answers'),
    )
    .option('--events <file>', 'of a tabletop: further events, YAML or JSON', fileArgument('--events'))
    .option('--sheet', 'of a tabletop: print what is asked, and end')
    .action((name: string, options: DrillOptions) => {
      if (options.type === 'tabletop') return tabletop(config(), name, tabletopOptions(options));
      refuseTabletopOptions(options);
      return withDoor(config(), (door) => start(door, name, options));
    });
  registerDrillDecisions(command, config);
  command
    .command('cleanup')
    .description('Remove what a drill has left that was cut off')
    .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
    .action(async (name: string) => {
      const lines = await withDoor(config(), (door) => cleanUp(door, name));
      process.stdout.write(`${lines.join('\n')}\n`);
    });
}

async function start(door: Door, name: string, options: DrillOptions): Promise<void> {
  const deployment = deploymentOf(door.config, name);
  const { type, scenario, component, plant, end, from, backup, onFailure, decide } = options;
  const shape = shapeOf(name, deployment);
  const plan = compileDrill(shape, {
    ...{ type, scenario, end, backup, onFailure, decide },
    participants: parseParticipants(deployment.roles, options.participant ?? []),
    ...promotionOf(shape, options),
    ...(component === undefined ? {} : { component }),
    ...(plant === undefined ? {} : { plant }),
    ...(from === undefined ? {} : { from }),
  });
  const digest = configDigest(deployment);
  await requireWorkers(door, name, digest, Object.values(plan.workers).flat());
  const input: RecoverInput = {
    run: runId('drl'),
    plan,
    planDigest: planDigest(plan),
    configDigest: digest,
    actor: options.actor ?? userInfo().username,
    reason: options.reason,
    declaredAt: new Date().toISOString(),
  };
  const handle = await startRun(door, input, titleOf(plan));
  if (!toldOfStart(input.run, 'drill', options)) return;
  // Whatever takes the lock after it is another run; but for the recovery that it may be promoted to.
  const followed =
    options.end === 'promote'
      ? handle
      : door.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
  await follow(door, followed, input.run, options.json ?? false);
}

/** Compiled beside the drill: what is approved at its end is what will run. */
function promotionOf(shape: DeploymentShape, { end, from }: DrillOptions): { promotion?: Promotion } {
  if (end !== 'promote' || !shape.drill) return {};
  const plan = compilePromotion(shape, liveSite(shape, from, shape.drill.site));
  return { promotion: { run: runId('rec'), plan, planDigest: planDigest(plan) } };
}

function titleOf({ deployment, to, drill: planned }: RecoverPlan): string {
  const { type, component, scenario, plant } = planned!;
  const what = component ?? (type === 'simulation' ? scenario : deployment);
  const fault = plant === undefined ? '' : `, planted: ${plant}`;
  return `Drill (${type}) of ${what} on ${to}${fault}`;
}

async function cleanUp(door: Door, name: string): Promise<string[]> {
  const deployment = deploymentOf(door.config, name);
  const { drill: planned, sites } = shapeOf(name, deployment);
  if (!planned) throw new DrError('DRILL_NOT_CONFIGURED', { deployment: name });
  const { site } = planned;
  const workers = everyWorker(knownSite(name, sites, site));
  const digest = configDigest(deployment);
  await requireWorkers(door, name, digest, workers);
  try {
    return await door.client.workflow.execute<typeof drillCleanup>('drillCleanup', {
      workflowId: lockId(name),
      taskQueue: WORKFLOW_QUEUE,
      args: [{ deployment: name, site, workers, configDigest: digest }],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `Clean up after drills on ${site} of ${name}`,
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw await alreadyRunning(door, name);
    throw toldByWorker(error) ?? error;
  }
}
