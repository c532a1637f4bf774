import { userInfo } from 'node:os';
import { WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Command } from 'commander';
import { DrError } from '../domain/errors.ts';
import { isErrorCode } from '../domain/error-table.ts';
import { WORKFLOW_QUEUE, type DecisionArgs, type DecisionKind } from '../domain/messages.ts';
import { findRun, withDoor } from './client.ts';

/** `tyk-dr retry`, `abort` and `confirm`: what a person decides about a run that waits. */

const HELP: Readonly<Record<DecisionKind, string>> = {
  retry: 'Call a waiting step again; it looks at its effect first',
  abort: 'Give a run up: the target is stopped and undone, the traffic is left alone',
  confirm: 'Assert that the source site cannot write, where the run could not fence it',
};

export function registerDecisions(program: Command, config: () => string | undefined): void {
  for (const kind of ['retry', 'abort', 'confirm'] as const) {
    program
      .command(kind)
      .description(HELP[kind])
      .argument('<run>', 'a run id, or a deployment for its newest run')
      .requiredOption('--reason <text>', 'why; kept in the record')
      .option('--actor <name>', 'who; default the login name')
      .option('--step <step>', 'which waiting step; default all')
      .action(async (run: string, options: { reason: string; actor?: string; step?: string }) => {
        await decide(config(), kind, run, {
          actor: options.actor ?? userInfo().username,
          reason: options.reason,
          ...(options.step === undefined ? {} : { step: options.step }),
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
  if (args.reason.trim() === '')
    throw new DrError('BAD_ARGUMENT', {
      argument: '--reason',
      value: args.reason,
      expected: 'a sentence that says why',
    });
  await withDoor(config, async (door) => {
    const handle = await findRun(door, run);
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') {
      throw new DrError('NOTHING_TO_DECIDE', {
        run,
        decision: kind,
        state: `over (${status.name.toLowerCase()})`,
      });
    }
    const answer = await door.client
      .withDeadline(Date.now() + TAKEN_DEADLINE_MS, () =>
        handle.executeUpdate<string, [DecisionArgs]>(kind, { args: [args] }),
      )
      .catch((error: unknown) => {
        throw refusal(error, run, kind);
      });
    process.stdout.write(`${answer}\n`);
  });
}

/** Workers take a decision at once; a commander must not wait longer to learn that none is there. */
export const TAKEN_DEADLINE_MS = 5_000;

export function refusal(error: unknown, run: string, kind: DecisionKind | 'ack'): unknown {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    // Without the cause: it would look as if Temporal were away.
    return new DrError('DECISION_NOT_TAKEN', { run, decision: kind, queue: WORKFLOW_QUEUE });
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure))
    return error;
  const { type, message } = error.cause;
  if (type === 'NOTHING_TO_DECIDE')
    return new DrError('NOTHING_TO_DECIDE', {
      run,
      decision: kind,
      state: message.split('; it is ')[1] ?? message,
    });
  if (isErrorCode(type)) return DrError.told(type, message);
  return error;
}
