import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { configDigest, planDigest } from '../adapters/config/digest.ts';
import { loadConfig } from '../adapters/config/load.ts';
import type { Deployment } from '../domain/config.ts';
import { DrError } from '../domain/errors.ts';
import type { FailoverMode } from '../domain/failover.ts';
import type { RecoverInput, RecoverPlan } from '../domain/plan.ts';
import { planText, titleOf } from '../report/plan-text.ts';
import { planDocument } from '../runbooks/plan-document.ts';
import { otherSite } from '../runbooks/plan.ts';
import { compileReplicate } from '../runbooks/replicate-plan.ts';
import type { DeploymentShape } from '../runbooks/shape.ts';
import { shapeOf } from '../runbooks/shape-of.ts';
import { workersNeeded } from '../runbooks/workers.ts';
import { actorArgument, choice, nameArgument, textArgument, timeArgument } from './arguments.ts';
import { bringFilesNow } from './bring-files.ts';
import { chain, runIdFor, takesOver } from './chain.ts';
import { COMMITS, setCommits } from './commits.ts';
import { deploymentOf, requireWorkers, withDoor, type Door } from './client.ts';
import { startBeforeDrills } from './drill-in-the-way.ts';
import { failoverAll, missing } from './failover-all.ts';
import { follow } from './follow.ts';
import { startRun, toldOfStart } from './start-run.ts';

/**
 * `tyk-dr failover`, `tyk-dr failback` and `tyk-dr replicate`: the roles of two sites are exchanged, or made. What follows
 * from one another runs under one lock: after a graceful failover the old site follows the new one.
 */

interface Options {
  readonly to: string;
  readonly from?: string;
  readonly onFailure: 'ask' | 'abort';
  readonly reason: string;
  readonly actor?: string;
  readonly plan?: boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
}

export interface FailoverOptions extends Omit<Options, 'to'> {
  readonly to?: string;
  readonly all?: boolean;
  readonly graceful?: boolean;
  readonly forced?: boolean;
  readonly acceptLoss?: boolean;
  readonly rejoin: boolean;
  readonly occurred?: string;
  readonly detected?: string;
}

interface ReplicateOptions extends Options {
  readonly files?: boolean;
  readonly synchronous?: (typeof COMMITS)[number];
}

export function registerFailover(program: Command, config: () => string | undefined): void {
  withRunOptions(
    program
      .command('failover')
      .description('Let the standby take over: gracefully, with nothing lost, or forced')
      .argument('[deployment]', 'as named under deployments:', nameArgument('DEPLOYMENT'))
      .option(
        '--to <site>',
        'the standby; with --all only those whose standby is there, default all',
        nameArgument('--to'),
      ),
  )
    .option('--all', 'with --forced: every deployment that has lost the site --from, each to its standby')
    .option(
      '--graceful',
      'the other site is there: stop its writes, let the standby become level, lose nothing',
    )
    .option('--forced', 'the other site is given up: fence it, and measure what is lost')
    .option(
      '--accept-loss',
      'also where the standby is further behind than the limit, or nobody knows how far',
    )
    .option('--no-rejoin', 'after a graceful one, leave the old site stopped instead of letting it follow')
    .option(
      '--occurred <time>',
      'when the disaster began (the RTO counts from here)',
      timeArgument('--occurred'),
    )
    .option('--detected <time>', 'when it was noticed', timeArgument('--detected'))
    .action(async (named: string | undefined, options: FailoverOptions) => {
      if (options.all) return failoverAll(config(), named, options);
      const name = named ?? missing('DEPLOYMENT', 'the name of one, or --all --from SITE --forced');
      const to = options.to ?? missing('--to', 'the standby that takes over');
      return act(config(), name, options, (shape) => {
        const { onFailure } = options;
        const mode = modeOf(options);
        const from = otherSite(shape, to, options.from);
        const acceptLoss = options.acceptLoss ?? false;
        const plan = takesOver(shape, { to, from, mode, onFailure, acceptLoss });
        return mode === 'graceful' && options.rejoin ? [plan, rejoin(shape, from, to, onFailure)] : [plan];
      });
    });
  withRunOptions(
    program
      .command('failback')
      .description('Bring the roles back: the old site rejoins, becomes level, and takes over gracefully')
      .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
      .requiredOption('--to <site>', 'the old site, which is to serve again', nameArgument('--to')),
  ).action((name: string, options: Options) =>
    act(config(), name, options, (shape) => {
      const { to, onFailure } = options;
      const from = otherSite(shape, to, options.from);
      return [
        rejoin(shape, to, from, onFailure),
        takesOver(shape, { to, from, mode: 'graceful', onFailure }),
        rejoin(shape, from, to, onFailure),
      ];
    }),
  );
  withRunOptions(
    program
      .command('replicate')
      .description('Make a site the standby of the one that serves, which serves on')
      .argument('<deployment>', 'as named under deployments:', nameArgument('DEPLOYMENT'))
      .requiredOption('--to <site>', 'the site that is to follow', nameArgument('--to'))
      .option('--files', 'only bring the newest configuration to a site that follows already')
      .option(
        '--synchronous <how>',
        'only let commits wait for a site that follows, or go on without it',
        choice('--synchronous', COMMITS),
      ),
  ).action((name: string, options: ReplicateOptions) => {
    const { synchronous } = options;
    if (synchronous !== undefined)
      return withDoor(config(), (door) => setCommits(door, name, synchronous, options));
    if (!options.files)
      return act(config(), name, options, (shape) => [
        rejoin(shape, options.to, otherSite(shape, options.to, options.from), options.onFailure),
      ]);
    return withDoor(config(), (door) =>
      bringFilesNow(door, shapeOf(name, deploymentOf(door.config, name)), options.to, options.json ?? false),
    );
  });
}

/** Compiles the runs, and shows or starts them. Showing needs no Temporal. */
async function act(
  configPath: string | undefined,
  name: string,
  options: StartOptions,
  compile: (shape: DeploymentShape) => readonly RecoverPlan[],
): Promise<void> {
  const deployment = deploymentOf(await loadConfig(configPath), name);
  const plan = chain(compile(shapeOf(name, deployment)), 'next');
  if (options.plan) return showPlans(plan, deployment, configDigest(deployment));
  await withDoor(configPath, (door) => start(door, name, plan, options));
}

function withRunOptions(command: Command): Command {
  return command
    .option(
      '--from <site>',
      'the site that serves; may be left out where there are two',
      nameArgument('--from'),
    )
    .option(
      '--on-failure <what>',
      'ask a person, or abort (for machines)',
      choice('--on-failure', ['ask', 'abort']),
      'ask',
    )
    .requiredOption('--reason <text>', 'why; kept in the record', textArgument('--reason'))
    .option('--actor <name>', 'who; default the login name', actorArgument('--actor'))
    .option('--plan', 'print what would be done, step by step, and do nothing')
    .option('--detach', 'start the run and return')
    .option('--json', 'events and result as JSON lines');
}

function modeOf({ graceful, forced }: FailoverOptions): FailoverMode {
  if (graceful !== forced) return graceful ? 'graceful' : 'forced';
  throw new DrError('BAD_ARGUMENT', {
    argument: '--graceful, --forced',
    value: graceful ? 'both' : 'neither',
    expected: 'one of them: whether the other site is there decides what may be lost',
  });
}

const rejoin = (shape: DeploymentShape, to: string, from: string, onFailure: 'ask' | 'abort'): RecoverPlan =>
  compileReplicate(shape, { to, from, onFailure });

type StartOptions = Omit<Options, 'to'> & Partial<Pick<FailoverOptions, 'occurred' | 'detected'>>;

async function start(door: Door, name: string, plan: RecoverPlan, options: StartOptions): Promise<void> {
  const digest = configDigest(deploymentOf(door.config, name));
  await requireWorkers(door, name, digest, workersNeeded(plan));
  const { occurred, detected } = options;
  const input: RecoverInput = {
    run: runIdFor(plan),
    ...{ plan, planDigest: planDigest(plan), configDigest: digest },
    ...{ actor: options.actor ?? userInfo().username, reason: options.reason },
    declaredAt: new Date().toISOString(),
    ...(occurred === undefined ? {} : { occurredAt: occurred }),
    ...(detected === undefined ? {} : { detectedAt: detected }),
  };
  // What can wait for a better hour waits for a rehearsal as well.
  const isDisaster = plan.failover?.mode === 'forced';
  const begin = isDisaster ? startBeforeDrills : startRun;
  const handle = await begin(door, input, titleOf(plan));
  if (toldOfStart(input.run, 'run', options)) await follow(door, handle, input.run, options.json ?? false);
}

/** Each run of the chain, as it would be done. */
function showPlans(first: RecoverPlan, deployment: Deployment, digest: string): void {
  for (let plan: RecoverPlan | undefined = first; plan; plan = plan.next?.plan) {
    const facts = {
      planDigest: planDigest(plan),
      configDigest: digest,
      deployment,
      forecast: 'not asked for',
    };
    process.stdout.write(`${planText(planDocument(plan, facts))}\n${plan.next ? '\n' : ''}`);
  }
}
