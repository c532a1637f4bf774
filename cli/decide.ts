import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { whoAndWhyProblem, type DecisionArgs, type DecisionKind } from '../domain/decision.ts';
import { DrError } from '../domain/errors.ts';
import { actorArgument, digestArgument, nameArgument, runArgument, textArgument } from './arguments.ts';
import { findRun, withDoor, type Door } from './client.ts';
import { sendUpdate } from './send-update.ts';

/** `tyk-dr retry`, `skip`, `done`, `undo`, `confirm`, `divert`, `abort`, `pause`, `resume`: what a person decides about a run. */

type StepIs = 'optional' | 'named' | 'none';

/** How each is called, and whether it is about a step. */
const COMMANDS: Readonly<Record<DecisionKind, { readonly help: string; readonly step: StepIs }>> = {
  retry: { help: 'Call a waiting step again; it looks at its effect first', step: 'optional' },
  skip: { help: 'Go on without a waiting step; it counts as an exception', step: 'named' },
  done: {
    help: 'Say that a waiting step was made by hand; a later step shows whether it was',
    step: 'named',
  },
  undo: { help: 'Take back what a waiting step did; it waits again', step: 'named' },
  confirm: {
    help: 'Assert that the source site cannot write, where the run could not fence it; or take a loss',
    step: 'optional',
  },
  divert: {
    help: 'Give a failover up for the next way: another standby, or a recovery from the backup',
    step: 'none',
  },
  abort: {
    help: 'Give a run up: the target is stopped and undone, the traffic is left alone',
    step: 'none',
  },
  pause: { help: 'Let no further step begin; those that run go on to their end', step: 'none' },
  resume: { help: 'Go on after a pause', step: 'none' },
};

interface DecisionOptions {
  readonly reason: string;
  readonly actor?: string;
  readonly step?: string;
  readonly acceptConfig?: string;
}

export function registerDecisions(program: Command, config: () => string | undefined): void {
  for (const [kind, { help, step }] of Object.entries(COMMANDS) as [
    DecisionKind,
    (typeof COMMANDS)[DecisionKind],
  ][]) {
    const command = program
      .command(kind)
      .description(help)
      .argument('<run>', 'a run id, or a deployment for its newest run', runArgument('RUN'));
    if (step === 'named')
      command.argument(
        '[step]',
        'the waiting step; may be left out where only one waits',
        nameArgument('STEP'),
      );
    command
      .requiredOption('--reason <text>', 'why; kept in the record', textArgument('--reason'))
      .option('--actor <name>', 'who; default the login name', actorArgument('--actor'));
    if (step === 'optional')
      command.option('--step <step>', 'which waiting step; default all', nameArgument('--step'));
    if (kind === 'retry')
      command.option(
        '--accept-config <digest>',
        "let a worker's other configuration do, as the error names it; recorded as an exception",
        digestArgument('--accept-config'),
      );
    command.action(async (run: string, ...rest: unknown[]) => {
      const named = step === 'named' ? (rest[0] as string | undefined) : undefined;
      const options = rest[step === 'named' ? 1 : 0] as DecisionOptions;
      const about = named ?? options.step;
      await decide(config(), kind, run, {
        actor: options.actor ?? userInfo().username,
        reason: options.reason,
        ...(about === undefined ? {} : { step: about }),
        ...(options.acceptConfig === undefined ? {} : { acceptConfig: options.acceptConfig }),
      });
    });
  }
}

async function decide(
  config: string | undefined,
  kind: DecisionKind,
  run: string,
  args: DecisionArgs,
): Promise<void> {
  requireWhoAndWhy(args);
  await withDoor(config, async (door) => {
    process.stdout.write(`${await sendDecision(door, kind, run, args)}\n`);
  });
}

/** The same as the workflow's own check, before anything is asked of anybody. @throws DrError BAD_ARGUMENT */
export function requireWhoAndWhy(args: DecisionArgs): void {
  const problem = whoAndWhyProblem(args);
  if (!problem) return;
  const argument = problem.argument === 'step' ? 'STEP' : `--${problem.argument}`;
  throw new DrError('BAD_ARGUMENT', { ...problem, argument });
}

/**
 * @returns what the run answers.
 * @throws DrError UNKNOWN_RUN, NOTHING_TO_DECIDE, DECISION_NOT_TAKEN, and whatever the run refuses it with
 */
export async function sendDecision<Args>(
  door: Door,
  kind: string,
  run: string,
  args: Args,
  deadlineMs?: number,
): Promise<string> {
  const handle = await findRun(door, run);
  const { status } = await handle.describe();
  if (status.name !== 'RUNNING') {
    throw new DrError('NOTHING_TO_DECIDE', {
      run,
      decision: kind,
      state: `over (${status.name.toLowerCase()})`,
    });
  }
  return sendUpdate(door, handle, {
    ...{ kind, args, to: run, run },
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
}
